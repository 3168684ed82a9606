package signing

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// fixed is an Authority with one session that records what was requested.
type fixed struct {
	granted Grant
	asked   []Terms
}

func (*fixed) Skew() time.Duration { return time.Minute }

func (f *fixed) Grant(_ context.Context, t Terms) (Grant, error) {
	f.asked = append(f.asked, t)
	g := f.granted
	if g.Lifetime == 0 {
		g.Lifetime = t.Expires
	}
	return g, nil
}

// still is an Authority that records nothing.
type still struct{ granted Grant }

func (*still) Skew() time.Duration { return 0 }

func (s *still) Grant(context.Context, Terms) (Grant, error) { return s.granted, nil }

func newSigner(tb testing.TB) *presigner.Signer {
	s, err := presigner.NewSigner(presigner.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: strings.Repeat("t", 900)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func parse(tb testing.TB, text string) *jobdoc.Template {
	t, err := jobdoc.Parse([]byte(text), &jobdoc.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

const (
	shared    = `{"u":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/a.bin}"}`
	perDevice = `{"u":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/${thingName}.bin}"}`
)

// A document and proxied text, requested at the same time, have URLs with the same beginning and lifetime.
func TestOneRule(t *testing.T) {
	f := func(quantum, expires, after time.Duration, begin time.Duration) {
		t.Helper()
		authority := &fixed{granted: Grant{Signer: newSigner(t)}}
		r := Renderer{Authority: authority, Quantum: quantum}
		o := Order{Template: parse(t, shared), Role: "download", Expires: expires, At: start.Add(after)}
		var s Slot
		m, _, err := r.Moment(context.Background(), &s, &o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := r.Once(context.Background(), &o)
		if err != nil {
			t.Fatal(err)
		}
		if want := start.Add(begin); m.Begin != want.Unix() || !c.Time.Equal(want) || m.Grant.Lifetime != expires || c.Expires != expires {
			t.Errorf("quantum %v, expires %v: a document begins at %d for %v, proxied text at %d for %v, want %d", quantum, expires, m.Begin, m.Grant.Lifetime, c.Time.Unix(), c.Expires, want.Unix())
		}
		for _, terms := range authority.asked {
			if terms.Role != "download" || !terms.Now.Equal(o.At) || !terms.Begin.Equal(start.Add(begin)) {
				t.Errorf("quantum %v: asked for %+v", quantum, terms)
			}
		}
	}
	f(0, time.Hour, 1500*time.Millisecond, time.Second)
	f(time.Second, time.Hour, 1500*time.Millisecond, time.Second)
	f(10*time.Minute, time.Hour, 19*time.Minute, 10*time.Minute)
	f(10*time.Minute, time.Minute, 59*time.Second, 30*time.Second) // half of the URL's life
	f(10*time.Minute, time.Second, time.Second, time.Second)
}

// document returns a device's document: the kept one, or one signed into the answer.
func document(t *testing.T, r *Renderer, s *Slot, o *Order) (m Rendering, text string) {
	t.Helper()
	m, resized, err := r.Moment(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	if m.Body != nil {
		return m, string(m.Body)
	}
	body, err := r.AppendTo([]byte("foo"), m, o)
	if err != nil || resized && m.kept == nil && s.Kept() != 0 {
		t.Fatalf("resized %v to %d; %v", resized, s.Kept(), err)
	}
	return m, strings.TrimPrefix(string(body), "foo")
}

// How a document is signed depends on the quantum, the requested lifetime, the session's end, and a longer session. Kept or
// signed again, it has the same bytes within a quantum.
func TestMomentFollows(t *testing.T) {
	authority := &fixed{granted: Grant{Signer: newSigner(t), Ends: start.Add(5 * time.Minute)}}
	var counted Signed
	r := Renderer{Authority: authority, Quantum: 10 * time.Minute, Count: func(s Signed) { counted.Fresh += s.Fresh; counted.Reused += s.Reused }, Tag: func(dst, _ []byte) []byte { return append(dst, "tag"...) }}
	var s Slot
	o := Order{Template: parse(t, shared), Expires: time.Hour, At: start}
	var last Rendering
	f := func(what string, fresh bool) {
		t.Helper()
		m, first := document(t, &r, &s, &o)
		if (m.Quantum != last.Quantum) != fresh || s.Current() != m.Quantum {
			t.Errorf("%s: another quantum: %v, want %v", what, m.Quantum != last.Quantum, fresh)
		}
		for range shareFrom {
			again, text := document(t, &r, &s, &o)
			if again.Quantum != m.Quantum || text != first {
				t.Errorf("%s: two documents in one quantum\n%s\n%s", what, first, text)
			}
			last = again
		}
		if last.Body == nil || string(last.ETag) != "tag" {
			t.Errorf("%s: a document that is requested often is not kept", what)
		}
	}
	f("the first", true)
	o.At = start.Add(299 * time.Second)
	f("within the quantum", false)
	o.At = start.Add(300 * time.Second)
	authority.granted = Grant{Signer: newSigner(t), Clamped: true, Lifetime: time.Minute}
	f("after the session's end", true)
	f("clamped, the same session", false)
	authority.granted = Grant{Signer: newSigner(t)}
	f("another session", true)
	f("again", false)
	authority.granted = Grant{Signer: newSigner(t)}
	f("a session that came within the quantum", false)
	o.Expires = 2 * time.Hour
	f("another life", true)
	o.At = start.Add(600 * time.Second)
	f("the next quantum", true)
	// Five quanta; in the first one some requests pass before the document is copied, and it is signed once more to be shared.
	if counted.Fresh != keepFrom+5 || counted.Reused != 9*(shareFrom+1)-counted.Fresh {
		t.Errorf("counted %+v", counted)
	}
}

// A document is copied from its eighth request in a quantum, and shared from its 64th, at once if the previous quantum had
// as many. It is dropped after some quanta with fewer requests. Copying allocates nothing after the first quantum.
func TestKept(t *testing.T) {
	var reused int
	r := Renderer{Authority: &fixed{granted: Grant{Signer: newSigner(t)}}, Count: func(s Signed) { reused += s.Reused }}
	var s Slot
	o := Order{Template: parse(t, shared), Expires: time.Hour}
	f := func(second, asks, copied, shared int, bytes bool) {
		t.Helper()
		o.At = start.Add(time.Duration(second) * time.Second)
		reused = 0
		got, want := 0, ""
		for range asks {
			m, text := document(t, &r, &s, &o)
			if m.Body != nil {
				got++
			}
			if want == "" {
				want = text
			}
			if text != want || !strings.Contains(text, o.At.Format("20060102T150405Z")) {
				t.Fatalf("second %d: unexpected document\n%s\n%s", second, text, want)
			}
		}
		if reused != copied+max(0, shared-1) || got != shared || (s.Kept() > 0) != bytes {
			t.Errorf("second %d: of %d requests %d got the shared document, want %d; %d needed no signing, want %d; %d bytes are kept", second, asks, got, shared, reused, copied+max(0, shared-1), s.Kept())
		}
	}
	f(0, 7, 0, 0, false)
	f(1, 10, 2, 0, true) // the eighth fills the buffer
	f(2, 2, 1, 0, true)  // the first fills it
	f(3, 1, 0, 0, true)
	f(2, 2, 0, 0, true) // the clock was set back
	for second := range 14 {
		f(5+second, 2, 1, 0, true) // kept for sixteen quanta
	}
	f(100, 1, 0, 0, true)  // a pause does not count
	f(200, 2, 0, 0, false) // then it is dropped
	f(219, 63, 55, 0, true)
	f(220, 70, 62, 7, true)
	f(221, 3, 0, 3, true) // at once
	f(222, 9, 1, 0, true) // the previous second had three
	f(223, 100, 62, 37, true)
	f(240, 5, 0, 0, true)  // after a pause
	f(239, 99, 0, 0, true) // requests with an earlier clock reading fill nothing, and replace nothing
}

// A request that copies while another fills the buffer gets the document of its own quantum.
func TestCopiedWhileFilled(t *testing.T) {
	r := Renderer{Authority: &still{Grant{Signer: newSigner(t), Lifetime: time.Hour}}}
	var s Slot
	o := Order{Template: parse(t, shared), Expires: time.Hour, At: start}
	for range keepFrom {
		document(t, &r, &s, &o)
	}
	m, first := document(t, &r, &s, &o)
	if !m.Copied() {
		t.Fatal("the document is not kept")
	}
	later := o
	later.At = start.Add(time.Second)
	_, second := document(t, &r, &s, &later)
	if text, err := r.AppendTo(nil, m, &o); err != nil || string(text) != first || first == second {
		t.Errorf("after the next quantum began: %v\n%s\nwant\n%s", err, text, first)
	}
	m.kept.filling.Lock()
	if text, err := r.AppendTo(nil, m, &o); err != nil || string(text) != first {
		t.Errorf("while the buffer is filled: %v\n%s\nwant\n%s", err, text, first)
	}
	m.kept.filling.Unlock()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for second := range 50 {
				own := later
				own.At = start.Add(time.Duration(second+i%2) * time.Second)
				for range 5 {
					m, _, err := r.Moment(context.Background(), &s, &own)
					if err != nil {
						t.Error(err)
						return
					}
					text := m.Body
					if text == nil {
						text, err = r.AppendTo(nil, m, &own)
					}
					if err != nil || !strings.Contains(string(text), own.At.Format("20060102T150405Z")) {
						t.Errorf("second %d: %v: %s", second, err, text)
					}
				}
			}
		})
	}
	all.Wait()
}

// Templates of one role share their quanta, so that a first request allocates nothing.
func TestQuantaAreShared(t *testing.T) {
	r := Renderer{Authority: &fixed{granted: Grant{Signer: newSigner(t)}}}
	var first *Quantum
	for i := range 100 {
		var s Slot
		o := Order{Template: parse(t, shared), Role: "download", Expires: time.Hour, At: start}
		m, _ := document(t, &r, &s, &o)
		if first == nil {
			first = m.Quantum
		}
		if m.Quantum != first {
			t.Fatalf("template %d has a quantum of its own", i)
		}
		o.Role = "other"
		if m, _ = document(t, &r, new(Slot), &o); m.Quantum == first {
			t.Fatal("two roles share a quantum")
		}
		o.Template = parse(t, "{}")
		if m, _ = document(t, &r, new(Slot), &o); m.Grant.Signer != nil {
			t.Fatal("a document without URLs has a signer")
		}
	}
}

// If a role has lost permissions, as after a reload, the next template's URLs are signed with its current ones.
func TestQuantaFollowGrants(t *testing.T) {
	authority := &fixed{granted: Grant{Signer: newSigner(t), Lifetime: 2 * time.Minute}}
	r := Renderer{Authority: authority}
	o := Order{Template: parse(t, shared), Role: "download", Expires: time.Hour, At: start}
	if m, _ := document(t, &r, new(Slot), &o); m.Grant.Lifetime != 2*time.Minute {
		t.Fatal(m.Grant)
	}
	authority.granted.Lifetime = time.Minute
	if m, _ := document(t, &r, new(Slot), &o); m.Grant.Lifetime != time.Minute {
		t.Errorf("URLs live for %v, as another template's of the same second", m.Grant.Lifetime)
	}
}

func TestPerDevice(t *testing.T) {
	r := Renderer{Authority: &fixed{granted: Grant{Signer: newSigner(t)}}}
	var s Slot
	o := Order{Template: parse(t, perDevice), Expires: time.Hour, At: r.Time(start), Values: jobdoc.Values{ThingName: []byte("t1")}}
	m, _, err := r.Moment(context.Background(), &s, &o)
	if err != nil || m.Body != nil {
		t.Fatalf("%s, %v", m.Body, err)
	}
	text, err := r.AppendTo([]byte("foo"), m, &o)
	if err != nil || !strings.HasPrefix(string(text), `foo{"u":"https://s3.us-east-1.amazonaws.com/firmware/t1.bin?`) || !strings.Contains(string(text), "20261123T120100Z") {
		t.Errorf("%v: %s", err, text)
	}
	o.Values.ThingName = []byte("..")
	if text, err = r.AppendTo([]byte("foo"), m, &o); err == nil || string(text) != "foo" {
		t.Errorf("a wrong value: %v: %s", err, text)
	}
}

func newRoles(t *testing.T, ends time.Time, now *time.Time, mode role.Mode) *role.Set {
	set, err := role.New(role.Options{
		AWS: aws.Config{Region: "us-east-1", Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "secret", SessionToken: "token", CanExpire: true, Expires: ends}, nil
		})},
		Roles: []role.Config{{Expires: time.Hour, MaxExpires: 2 * time.Hour}}, OnShortSession: mode,
		Now: func() time.Time { return *now },
	})
	if err != nil {
		t.Fatal(err)
	}
	set.Start(context.Background())
	t.Cleanup(set.Close)
	return set
}

func TestSessions(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	set := newRoles(t, now.Add(90*time.Minute), &now, role.Clamp)
	f := func(name string, expires, after, lifetime time.Duration, clamped bool, want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		at := now.Add(after)
		g, err := Sessions{set}.Grant(ctx, Terms{Role: name, Expires: expires, Begin: at, Now: at})
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q for %v: %v, want %q", name, expires, err, want)
			}
			return
		}
		if err != nil || g.Lifetime != lifetime || g.Clamped != clamped || g.Signer == nil || !g.Ends.Equal(now.Add(90*time.Minute)) {
			t.Errorf("%q for %v: %+v, %v", name, expires, g, err)
		}
	}
	f("", time.Hour, 0, time.Hour, false, "")
	f("", time.Hour, time.Hour, 30*time.Minute, true, "")
	f("", 7*24*time.Hour, 0, 90*time.Minute, true, "") // the role's max_expires, and then the session
	f("other", time.Hour, 0, 0, false, `role "other"`)
}

func TestRetryAfter(t *testing.T) {
	f := func(err error, want time.Duration) {
		t.Helper()
		if got := RetryAfter(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	f(errors.New("x"), time.Second)
	f(&role.UnavailableError{RetryAfter: 20 * time.Second}, 20*time.Second)
	f(&role.UnavailableError{}, time.Second)
}

// Missing rules grant nothing: a role without rules signs nothing, and one without a list signs no untrusted text.
func TestPermits(t *testing.T) {
	p, err := NewPermits(s3host.Config{DefaultRegion: "us-east-1"}, map[string]RoleRules{
		"": {Setting: "presign"}, "download": {Allow: []string{"arn:aws:s3:::firmware/*"}, Setting: "roles.download"},
	}, Limits{MaxDocument: 1 << 20, MaxPlaceholders: 10, MaxRendered: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if p.Lists("") || !p.Lists("download") || p.Lists("other") {
		t.Error("the wrong roles list objects")
	}
	if _, err := p.Options("other"); err == nil {
		t.Error("a role without rules has options")
	}
	f := func(name, document string, want bool) {
		t.Helper()
		o, err := p.Options(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = jobdoc.Parse([]byte(document), &o); (err == nil) != want {
			t.Errorf("%q: %s: %v", name, document, err)
		}
	}
	f("", shared, true)
	f("download", shared, true)
	f("download", strings.ReplaceAll(shared, "firmware", "secrets"), false)
	f("", strings.ReplaceAll(shared, "s3-presigned-url-v2", "s3-presigned-url-upload"), false)
	if _, err := NewPermits(s3host.Config{}, map[string]RoleRules{"": {Allow: []string{"x"}, Setting: "presign"}}, Limits{}); err == nil {
		t.Error("an invalid list is accepted")
	}
}
