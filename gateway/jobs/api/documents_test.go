package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobdoc"
)

// askAt does one request of `$next` with its document at a time.
func askAt(d *Data, at time.Time, method, uri string) *fasthttp.Response {
	var ctx fasthttp.RequestCtx
	request(&ctx, method, uri, `{"status":"IN_PROGRESS","includeJobDocument":true}`)
	new(device).serve(d, &ctx, at, nil, false)
	return &ctx.Response
}

const nextOf1 = "/things/sensor:1/jobs/$next"

// signedURL returns the first URL of a document within an answer.
func signedURL(t *testing.T, r *fasthttp.Response) string {
	t.Helper()
	_, after, ok := strings.Cut(string(r.Body()), "https://")
	if !ok {
		t.Fatalf("no URL in %s", r.Body())
	}
	url, _, _ := strings.Cut(after, `\"`)
	return url
}

// quantumAfter returns when a quantum of a document of job update-7 begins.
func quantumAfter(d *Data, t *jobdoc.Template, at time.Time) time.Time {
	begin := at.Truncate(time.Second)
	for r := &d.documents; (begin.Unix()+r.slot(t, "update-7").offset)%r.quantum != 0; {
		begin = begin.Add(time.Second)
	}
	return begin
}

// Within a quantum every device gets the same bytes, and after it others.
func TestOneRenderingAQuantum(t *testing.T) {
	f := func(quantum time.Duration, within, after time.Duration) {
		t.Helper()
		var counted Signed
		service := &fakeService{described: newDescribed(t, sharedDocument), found: true}
		signing := &fakeSigning{grant: Grant{Signer: newSigner(t, "ASIAEXAMPLE")}}
		d, err := NewData(DataConfig{Service: service, Signing: signing, Quantum: quantum, Count: func(s Signed) {
			counted.Fresh += s.Fresh
			counted.Reused += s.Reused
			counted.Longest = max(counted.Longest, s.Longest)
		}})
		if err != nil {
			t.Fatal(err)
		}
		begin := quantumAfter(d, service.described.Document.Template, testTime)
		first := signedURL(t, askAt(d, begin, "GET", nextOf1))
		if same := signedURL(t, askAt(d, begin.Add(within), "GET", nextOf1)); same != first {
			t.Errorf("quantum %v: %v later the URL is another", quantum, within)
		}
		if other := signedURL(t, askAt(d, begin.Add(after), "GET", nextOf1)); other == first {
			t.Errorf("quantum %v: %v later the URL is the same", quantum, after)
		}
		if signing.grants != 2 || counted.Fresh != 2 || counted.Reused != 1 || counted.Longest < 1000 {
			t.Errorf("quantum %v: %d grants, %+v", quantum, signing.grants, counted)
		}
	}
	f(0, 999*time.Millisecond, time.Second)
	f(time.Second, 999*time.Millisecond, time.Second)
	f(time.Minute, 59*time.Second, time.Minute)
}

// A quantum ends with the session that signed it: its URLs are dead from then on.
func TestSessionEndsWithinQuantum(t *testing.T) {
	service := &fakeService{described: newDescribed(t, sharedDocument), found: true}
	signing := &fakeSigning{grant: Grant{Signer: newSigner(t, "ASIAEXAMPLE")}}
	d, err := NewData(DataConfig{Service: service, Signing: signing, Quantum: 30 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	begin := quantumAfter(d, service.described.Document.Template, testTime)
	end := begin.Add(time.Minute)
	signing.grant.Ends = end
	first := signedURL(t, askAt(d, begin, "GET", nextOf1))
	if same := signedURL(t, askAt(d, end.Add(-time.Second), "GET", nextOf1)); same != first || signing.grants != 1 {
		t.Errorf("before the session's end the URL is another: %d grants", signing.grants)
	}
	signing.err = errors.New("no other session is to be had")
	if r := askAt(d, end, "GET", nextOf1); r.StatusCode() != http.StatusServiceUnavailable {
		t.Errorf("at the session's end: %d %s", r.StatusCode(), r.Body())
	}
}

// A document that names its device is signed for each.
func TestPerDeviceRendering(t *testing.T) {
	d, service, signing := newFake(t, perDeviceDocument)
	one := signedURL(t, askAt(d, testTime, "GET", nextOf1))
	service.described.Execution.Thing = "sensor:2"
	two := signedURL(t, askAt(d, testTime, "GET", nextOf1))
	if one == two || !strings.Contains(two, "/sensor%3A2/") || signing.grants != 1 {
		t.Errorf("got %s after %s, %d grants", two[:60], one[:60], signing.grants)
	}
}

// A job's new lifetime and a corrected clock show at once.
func TestRenderingFollows(t *testing.T) {
	d, service, signing := newFake(t, sharedDocument)
	f := func(want string) {
		t.Helper()
		if url := signedURL(t, askAt(d, testTime, "GET", nextOf1)); !strings.Contains(url, want) {
			t.Errorf("%s lacks %s", url, want)
		}
	}
	f("X-Amz-Expires=3600&")
	service.described.Document.Expires = time.Minute
	f("X-Amz-Expires=60&")
	f("X-Amz-Date=20261123T120000Z&")
	signing.skew = time.Hour
	f("X-Amz-Date=20261123T130000Z&")
}

// A URL that lives shorter than the quantum is not handed out when it is past half of its life.
func TestShortLifeInLongQuantum(t *testing.T) {
	d, service, _ := newFake(t, sharedDocument)
	d.documents.quantum = 600
	service.described.Document.Expires = time.Minute
	seen := map[string]bool{}
	for s := range 60 {
		seen[signedURL(t, askAt(d, testTime.Add(time.Duration(s)*time.Second), "GET", nextOf1))] = true
	}
	if len(seen) < 2 || len(seen) > 3 {
		t.Errorf("%d URLs of a minute's life within a minute, want one each half", len(seen))
	}
}

// A clamped rendering serves until a longer session is there, and no longer.
func TestClampedRendering(t *testing.T) {
	d, _, signing := newFake(t, sharedDocument)
	signing.grant.Clamped, signing.grant.Lifetime = true, time.Minute
	first := signedURL(t, askAt(d, testTime, "GET", nextOf1))
	if again := signedURL(t, askAt(d, testTime, "GET", nextOf1)); again != first || signing.grants != 2 {
		t.Errorf("the same session renders anew, or nobody asked for another: %d grants", signing.grants)
	}
	signing.grant = Grant{Signer: newSigner(t, "ASIAOTHER")}
	if other := signedURL(t, askAt(d, testTime, "GET", nextOf1)); !strings.Contains(other, "ASIAOTHER") {
		t.Errorf("the new session is not used: %s", other)
	}
}

type laterError struct{ error }

func (laterError) RetryAfterDelay() time.Duration { return 20 * time.Second }

// A document that cannot be signed is a 503, from every operation that hands one out, and nothing was stored.
func TestSigningFails(t *testing.T) {
	d, service, signing := newFake(t, sharedDocument)
	f := func(method, uri, message string) {
		t.Helper()
		r := askAt(d, testTime, method, uri)
		checkException(t, method, r, http.StatusServiceUnavailable, "ServiceUnavailableException", message)
		if len(r.Header.Peek("Retry-After")) == 0 {
			t.Errorf("%s: no Retry-After", method)
		}
		if service.updated != nil {
			t.Errorf("%s: stored", method)
		}
	}
	signing.err = laterError{errors.New("STS is down: secret detail")}
	f("GET", nextOf1, "cannot be signed")
	f("PUT", nextOf1, "cannot be signed")
	f("POST", "/things/sensor:1/jobs/update-7", "cannot be signed")
	if after := string(askAt(d, testTime, "GET", nextOf1).Header.Peek("Retry-After")); after < "20" || after > "40" {
		t.Errorf("Retry-After %s, want 20 to 40", after)
	}
	signing.err, signing.grant.Lifetime = nil, 8*24*time.Hour
	f("GET", nextOf1, "cannot be filled")
	if body := string(askAt(d, testTime, "GET", nextOf1).Body()); strings.Contains(body, "secret") {
		t.Errorf("the cause is told: %s", body)
	}
	service.described.Document.Template = newTemplate(t, perDeviceDocument)
	signing.grant.Lifetime, service.described.Execution.Thing = 0, ".."
	f("GET", nextOf1, "cannot be filled")
}

// Nobody signs unless somebody was named to.
func TestNoSigning(t *testing.T) {
	service := &fakeService{described: newDescribed(t, sharedDocument), found: true}
	d, err := NewData(DataConfig{Service: service})
	if err != nil {
		t.Fatal(err)
	}
	checkException(t, "signed", askAt(d, testTime, "GET", nextOf1), 503, "ServiceUnavailableException", "cannot be signed")
	service.described.Document.Template = newTemplate(t, plainDocument)
	if r := askAt(d, testTime, "GET", nextOf1); r.StatusCode() != http.StatusOK {
		t.Errorf("plain: %d", r.StatusCode())
	}
}

// Renderings of jobs that nobody asks for any more are dropped.
func TestPrune(t *testing.T) {
	d, service, _ := newFake(t, sharedDocument)
	count := func() (n int) {
		d.documents.slots.Range(func(any, any) bool { n++; return true })
		return n
	}
	askAt(d, testTime, "GET", nextOf1)
	service.described.Document.Template = newTemplate(t, sharedDocument)
	askAt(d, testTime.Add(time.Second), "GET", nextOf1)
	if n := count(); n != 2 {
		t.Errorf("%d renderings, want 2", n)
	}
	service.described.Document.Template = newTemplate(t, sharedDocument)
	askAt(d, testTime.Add(2*time.Minute), "GET", nextOf1)
	if n := count(); n != 1 {
		t.Errorf("%d renderings two minutes later, want 1", n)
	}
}
