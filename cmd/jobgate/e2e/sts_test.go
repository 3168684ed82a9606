package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/servertest"
	"jobgate/presigner/miniotest"
)

// readiness is the body of /readyz.
type readiness struct {
	Ready    bool
	Draining bool
	Roles    []struct{ Name, State, Error string }
}

func (g *gateway) readyz() (int, readiness) {
	g.t.Helper()
	a := get(g.t, "http://"+g.admin+"/readyz")
	var r readiness
	if err := json.Unmarshal([]byte(a.body), &r); err != nil {
		g.t.Fatalf("readyz: %v: %s", err, a.body)
	}
	if held := logs.held(a.body); len(held) > 0 {
		g.t.Errorf("readyz contains the secrets %q", held)
	}
	return a.status, r
}

// state returns the state of a role in r, and its error.
func (r readiness) state(name string) (state, why string) {
	for _, role := range r.Roles {
		if role.Name == name {
			return role.State, role.Error
		}
	}
	return "missing", ""
}

const oneDocument = `routes: [{path: /doc, document: "file://$DIR/doc.json"}]` + downloadRole

// TestSTSOutage has sessions of five seconds, which are renewed after half of that, and a longer outage of STS. Devices get
// documents until the session ends.
func TestSTSOutage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	s.proxy.Inject(miniotest.Faults{SessionLife: 5 * time.Second})
	g := s.serve(oneDocument)
	servertest.Eventually(t, "the role is ready", func() bool { status, _ := g.readyz(); return status == http.StatusOK })
	s.proxy.Inject(miniotest.Faults{SessionLife: 5 * time.Second, STS: miniotest.Fault{Outage: miniotest.Reset}})
	end := time.Unix(int64(g.metric(`jobgate_role_session_expiry_seconds{role="download"}`)), 0)

	sessions := g.metric(`jobgate_sts_requests_total{outcome="ok",role="download"}`)
	for good := 0; ; good++ {
		a := get(t, "http://"+g.devices+"/doc")
		if time.Until(end) < time.Second { // a URL is valid for at least a second, so there may be none now
			t.Logf("%d devices got a document during the outage", good)
			break
		}
		if file := get(t, a.document(t)["url"]); time.Until(end) > 0 && (file.status != http.StatusOK || file.body != "bytes") {
			t.Fatalf("%v before the session's end: %d %s", time.Until(end), file.status, file.body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if n := g.metric(`jobgate_sts_requests_total{outcome="failed",role="download"}`); n < 1 {
		t.Errorf("%v requests to STS failed, want at least 1: the outage was shorter than a refresh interval", n)
	}
	time.Sleep(time.Until(end))
	unavailable(t, "after the session's end", get(t, "http://"+g.devices+"/doc"))
	status, r := g.readyz()
	if state, why := r.state("download"); status != http.StatusServiceUnavailable || r.Ready || state != "failing" || why == "" {
		t.Errorf("readyz: %d %+v", status, r)
	}
	s.proxy.Inject(miniotest.Faults{})
	servertest.Eventually(t, "documents are served again", func() bool { return get(t, "http://"+g.devices+"/doc").status == http.StatusOK })
	if status, r := g.readyz(); status != http.StatusOK || !r.Ready {
		t.Errorf("readyz after the outage: %d %+v", status, r)
	}
	if n := g.metric(`jobgate_sts_requests_total{outcome="ok",role="download"}`) - sessions; n != 1 {
		t.Errorf("%v sessions were obtained after the outage, want 1", n)
	}
}

// TestColdStartWithoutSTS starts the gateway while STS refuses connections.
func TestColdStartWithoutSTS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	s.file("plain.json", `{"url": "none"}`)
	s.proxy.Stop()
	g := s.serve(strings.Replace(oneDocument, "[{", `[{path: /plain, document: "file://$DIR/plain.json"}, {`, 1))
	unavailable(t, "no session yet", get(t, "http://"+g.devices+"/doc"))
	if a := get(t, "http://"+g.devices+"/plain"); a.status != http.StatusOK {
		t.Errorf("a document without URLs: %d %s", a.status, a.body)
	}
	if status, r := g.readyz(); status != http.StatusServiceUnavailable || r.Ready {
		t.Errorf("readyz: %d %+v", status, r)
	}
	if a := get(t, "http://"+g.admin+"/healthz"); a.status != http.StatusOK {
		t.Errorf("healthz: %d %s", a.status, a.body)
	}
	if _, errs, code := run(t, s.folder, nil, "health", "--ready", "--address", g.admin); code != 1 || !strings.Contains(errs, "503") {
		t.Errorf("jobgate health --ready: %d %s", code, errs)
	}
	s.proxy.Resume(t)
	var a answer
	servertest.Eventually(t, "documents are served", func() bool { a = get(t, "http://"+g.devices+"/doc"); return a.status == http.StatusOK })
	if file := get(t, a.document(t)["url"]); file.status != http.StatusOK {
		t.Errorf("GET: %d %s", file.status, file.body)
	}
}

// TestOneRoleFails makes STS reject sessions longer than twenty minutes, so that one of two roles fails.
func TestOneRoleFails(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	s.proxy.Inject(miniotest.Faults{MaxSession: 20 * time.Minute})
	g := s.serve(`
routes:
  - {path: /good, document: "file://$DIR/doc.json", role: good}
  - {path: /bad, document: "file://$DIR/doc.json", role: bad}
roles:
  good: {arn: "arn:aws:iam::123456789012:role/good", session_duration: 15m, allow: ["arn:aws:s3:::$BUCKET/*"]}
  bad: {arn: "arn:aws:iam::123456789012:role/bad", session_duration: 2h, allow: ["arn:aws:s3:::$BUCKET/*"]}
`)
	servertest.Eventually(t, "ready", func() bool { status, _ := g.readyz(); return status == http.StatusOK })
	unavailable(t, "the failing role", get(t, "http://"+g.devices+"/bad"))
	if a := get(t, get(t, "http://"+g.devices+"/good").document(t)["url"]); a.status != http.StatusOK {
		t.Errorf("the other role: %d %s", a.status, a.body)
	}
	_, r := g.readyz()
	good, _ := r.state("good")
	bad, why := r.state("bad")
	if good != "ready" || bad != "failing" || !strings.Contains(why, "DurationSeconds") {
		t.Errorf("readyz: %+v", r)
	}
	refusals := g.metric(`jobgate_sts_requests_total{outcome="refused",role="bad"}`)
	if ok := g.metric(`jobgate_sts_requests_total{outcome="ok",role="good"}`); refusals < 2 || ok != 1 {
		t.Errorf("STS refused %v requests and answered %v, want at least 2 and 1", refusals, ok)
	}
	if end := g.metric(`jobgate_role_session_expiry_seconds{role="bad"}`); end != 0 {
		t.Errorf("the failing role's session ends at %v", end)
	}
	s.proxy.Inject(miniotest.Faults{})
	servertest.Eventually(t, "the role works again", func() bool { return get(t, "http://"+g.devices+"/bad").status == http.StatusOK })
}
