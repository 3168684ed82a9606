package documents

import (
	"errors"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/signing"
	"jobgate/gateway/signing/signingtest"
)

var testTime = time.Date(2026, 11, 23, 12, 0, 0, 250e6, time.UTC)

// fake is one job's document, and a Renderer.
type fake struct {
	t         *testing.T
	r         *Renderer
	authority *signingtest.Authority
	document  jobs.Document
	execution jobs.Execution
	counted   signing.Signed
}

func newFake(t *testing.T, text string, quantum time.Duration) *fake {
	t.Helper()
	f := &fake{t: t, authority: signingtest.NewAuthority(t)}
	f.document = jobs.Document{RoleARN: "arn:aws:iam::123456789012:role/download", Expires: time.Hour}
	f.compile(text)
	f.execution = jobs.Execution{Thing: "sensor:1", Job: &jobs.Job{ID: "update-7"}, Number: 1}
	f.r = New(Config{Authority: f.authority, Quantum: quantum, Count: func(s signing.Signed) {
		f.counted.Fresh += s.Fresh
		f.counted.Reused += s.Reused
		f.counted.Longest = max(f.counted.Longest, s.Longest)
	}})
	return f
}

func (f *fake) compile(text string) {
	f.t.Helper()
	var err error
	if f.document.Template, err = jobdoc.Parse([]byte(text), &jobdoc.Options{JSONString: true}); err != nil {
		f.t.Fatal(err)
	}
}

// url returns the first URL of the document at a time.
func (f *fake) url(at time.Time) string {
	f.t.Helper()
	text, err := f.r.AppendTo([]byte("foo"), &f.document, &f.execution, at)
	if err != nil || string(text[:3]) != "foo" {
		f.t.Fatalf("%v: %s", err, text)
	}
	_, after, _ := strings.Cut(string(text), "https://")
	url, _, _ := strings.Cut(after, `\"`)
	return url
}

// begin returns the start of a quantum after testTime.
func (f *fake) begin() time.Time {
	s, _ := f.r.slot(f.document.Template, f.execution.Job.ID)
	begin := testTime.Truncate(time.Second)
	for (begin.Unix()+s.Offset)%int64(max(time.Second, f.r.signing.Quantum)/time.Second) != 0 {
		begin = begin.Add(time.Second)
	}
	return begin
}

// Within a quantum every device gets the same bytes; the next quantum has others.
func TestOneRenderingAQuantum(t *testing.T) {
	f := func(quantum, within, after time.Duration) {
		t.Helper()
		f := newFake(t, signingtest.SharedDocument, quantum)
		begin := f.begin()
		first := f.url(begin)
		for range 8 { // the last but one keeps the rendering, and the last reuses it
			if same := f.url(begin.Add(within)); same != first {
				t.Errorf("quantum %v: %v later the URL is different", quantum, within)
			}
		}
		if other := f.url(begin.Add(after)); other == first {
			t.Errorf("quantum %v: %v later the URL is the same", quantum, after)
		}
		if f.authority.Grants() != 2 || f.counted.Fresh != 9 || f.counted.Reused != 1 || f.counted.Longest < 1000 {
			t.Errorf("quantum %v: %d grants, %+v", quantum, f.authority.Grants(), f.counted)
		}
	}
	f(0, 999*time.Millisecond, time.Second)
	f(time.Second, 999*time.Millisecond, time.Second)
	f(time.Minute, 59*time.Second, time.Minute)
}

// A quantum ends with the session that signed it: its URLs are invalid from then on.
func TestSessionEndsWithinQuantum(t *testing.T) {
	f := newFake(t, signingtest.SharedDocument, 30*time.Minute)
	begin := f.begin()
	end := begin.Add(time.Minute)
	f.authority.Granted.Ends = end
	first := f.url(begin)
	if same := f.url(end.Add(-time.Second)); same != first || f.authority.Grants() != 1 {
		t.Errorf("before the session's end the URL is different: %d grants", f.authority.Grants())
	}
	f.authority.Err = errors.New("no other session")
	text, err := f.r.AppendTo([]byte("foo"), &f.document, &f.execution, end)
	var fault *edge.Fault
	if !errors.As(err, &fault) || fault.Status != 503 || string(text) != "foo" {
		t.Errorf("at the session's end: %s, %v", text, err)
	}
}

// A document that names its device is signed for each device.
func TestPerDeviceRendering(t *testing.T) {
	f := newFake(t, signingtest.PerDeviceDocument, 0)
	one := f.url(testTime)
	f.execution.Thing = "sensor:2"
	two := f.url(testTime)
	if one == two || !strings.Contains(two, "/sensor%3A2/update-7/1.bin") || f.authority.Grants() != 1 {
		t.Errorf("got %s after %s, %d grants", two[:60], one[:60], f.authority.Grants())
	}
}

// A job's new URL lifetime and a corrected clock take effect at once.
func TestRenderingFollows(t *testing.T) {
	f := newFake(t, signingtest.SharedDocument, 0)
	has := func(want string) {
		t.Helper()
		if url := f.url(testTime); !strings.Contains(url, want) {
			t.Errorf("%s lacks %s", url, want)
		}
	}
	has("X-Amz-Expires=3600&")
	f.document.Expires = time.Minute
	has("X-Amz-Expires=60&")
	has("X-Amz-Date=20261123T120000Z&")
	f.authority.Drift = time.Hour
	has("X-Amz-Date=20261123T130000Z&")
}

// If URLs expire before the quantum ends, a URL is not handed out after half of its lifetime.
func TestShortLifeInLongQuantum(t *testing.T) {
	f := newFake(t, signingtest.SharedDocument, 10*time.Minute)
	f.document.Expires = time.Minute
	seen := map[string]bool{}
	for s := range 60 {
		seen[f.url(testTime.Add(time.Duration(s)*time.Second))] = true
	}
	if len(seen) < 2 || len(seen) > 3 {
		t.Errorf("%d URLs with a lifetime of a minute within a minute, want one each half", len(seen))
	}
}

// A clamped rendering is used only until a longer session is available.
func TestClampedRendering(t *testing.T) {
	f := newFake(t, signingtest.SharedDocument, 0)
	f.authority.Granted.Clamped, f.authority.Granted.Lifetime = true, time.Minute
	first := f.url(testTime)
	if again := f.url(testTime); again != first || f.authority.Grants() != 2 {
		t.Errorf("the same session is rendered again, or no longer one was requested: %d grants", f.authority.Grants())
	}
	f.authority.Granted = signing.Grant{Signer: signingtest.NewSigner(t, "ASIAOTHER")}
	if other := f.url(testTime); !strings.Contains(other, "ASIAOTHER") {
		t.Errorf("the new session is not used: %s", other)
	}
}

// Renderings of jobs that are no longer requested are dropped.
func TestPrune(t *testing.T) {
	f := newFake(t, signingtest.SharedDocument, 0)
	count := func() (n int) {
		f.r.slots.Range(func(any, any) bool { n++; return true })
		return n
	}
	f.url(testTime)
	f.compile(signingtest.SharedDocument)
	f.url(testTime.Add(time.Second))
	if n := count(); n != 2 {
		t.Errorf("%d renderings, want 2", n)
	}
	f.compile(signingtest.SharedDocument)
	f.url(testTime.Add(2 * time.Minute))
	if n := count(); n != 1 {
		t.Errorf("%d renderings two minutes later, want 1", n)
	}
}
