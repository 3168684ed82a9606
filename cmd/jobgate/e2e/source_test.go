package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/servertest"
	"jobgate/presigner/miniotest"
)

// briefCache makes templates stale after a second.
const briefCache = "cache: {role: download, fresh: 1s, stale_if_error: 1h, negative: 0s}\nlimits: {upstream_timeout: 5s}\n"

// TestS3SourceStops stops S3, and then slows it down, while a gateway's templates are stale.
func TestS3SourceStops(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("jobs/a.json", `{"version": "${aws:iot:parameter:v}"}`)
	g := s.serve(`routes: [{path: "/{jobId}", document: "s3://$BUCKET/jobs/{jobId}.json", content_type: application/json, parameters: {v: "7"}}]
` + briefCache + downloadRole)
	f := func(when string) {
		t.Helper()
		if a := get(t, "http://"+g.devices+"/a"); a.status != http.StatusOK || a.body != `{"version": "7"}` {
			t.Errorf("%s: %d %s", when, a.status, a.body)
		}
	}
	f("the first time")
	refused(t, "no such object", get(t, "http://"+g.devices+"/none"), http.StatusNotFound, "no such job document")

	s.proxy.Inject(miniotest.Faults{S3: miniotest.Fault{Outage: miniotest.Unavailable}})
	time.Sleep(2100 * time.Millisecond) // fresh for one second, then stale while revalidated for another
	f("S3 is down")
	s.proxy.Inject(miniotest.Faults{S3: miniotest.Fault{Outage: miniotest.Reset}})
	f("S3 resets connections")
	unavailable(t, "S3 is down and nothing is cached", get(t, "http://"+g.devices+"/b"))
	if g.metric(`jobgate_cache_requests_total{result="stale"}`) == 0 || g.metric(`jobgate_source_duration_seconds_count{outcome="error",source="s3"}`) == 0 {
		t.Error("the metrics do not show the outage")
	}

	s.proxy.Inject(miniotest.Faults{S3: miniotest.Fault{Delay: 15 * time.Second}})
	began := time.Now()
	f("S3 is slow")
	if took := time.Since(began); took > 12*time.Second {
		t.Errorf("a device waited %v for a slow source although an older template is cached", took)
	}
	s.proxy.Inject(miniotest.Faults{})
	servertest.Eventually(t, "S3 answers again", func() bool { return get(t, "http://"+g.devices+"/none").status == http.StatusNotFound })
}

// TestForbiddenObject reads templates with a session policy that does not allow listing the bucket, so that S3 answers 403
// for objects that do not exist.
func TestForbiddenObject(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("jobs/a.json", `{}`)
	s.object("secret/a.json", `{"secret": "not for devices"}`)
	g := s.serve(`
routes:
  - {path: "/jobs/{jobId}", document: "s3://$BUCKET/jobs/{jobId}.json"}
  - {path: "/secret/{jobId}", document: "s3://$BUCKET/secret/{jobId}.json"}
roles:
  templates:
    arn: ` + downloadARN + `
    session_policy: '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::$BUCKET/jobs/*"}]}'
cache: {role: templates}
`)
	if a := get(t, "http://"+g.devices+"/jobs/a"); a.status != http.StatusOK {
		t.Errorf("within the policy: %d %s", a.status, a.body)
	}
	refused(t, "outside the policy", get(t, "http://"+g.devices+"/secret/a"), http.StatusNotFound, "no such job document")
	refused(t, "an object that does not exist", get(t, "http://"+g.devices+"/jobs/none"), http.StatusNotFound, "no such job document")
	if !strings.Contains(g.Log.String(), "s3:ListBucket") {
		t.Error("the log does not have the cause")
	}
}

// TestHTTPSource checks how each answer of an HTTP source affects a cached document.
func TestHTTPSource(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var status, requests atomic.Int64
	status.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("If-None-Match") == `"1"` && status.Load() == http.StatusOK {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"path": "`+r.URL.Path+`"}`)
	}))
	t.Cleanup(server.Close)
	g := s.serve(`
routes: [{path: "/{jobId}", document: "` + server.URL + `/documents/{jobId}.json"}]
cache: {fresh: 0s, stale_if_error: 1h, negative: 0s}
`)
	f := func(name string, answers, want int) {
		t.Helper()
		status.Store(int64(answers))
		a := get(t, "http://"+g.devices+"/"+name)
		switch {
		case want == http.StatusOK && (a.status != http.StatusOK || a.body != `{"path": "/documents/`+name+`.json"}`):
			t.Errorf("%s, the source answers %d: %d %s", name, answers, a.status, a.body)
		case want == http.StatusServiceUnavailable:
			unavailable(t, name, a)
		case want != http.StatusOK:
			refused(t, name, a, want, "")
		}
	}
	for _, gone := range []int{http.StatusNotFound, http.StatusForbidden} {
		name := http.StatusText(gone)[:3]
		f(name, 200, 200)
		f(name, 200, 200) // not modified
		f(name, 500, 200) // stale
		f(name, 302, 200) // not followed, stale
		servertest.Eventually(t, "the source is requested again after its failures", func() bool {
			status.Store(int64(gone))
			return get(t, "http://"+g.devices+"/"+name).status == http.StatusNotFound // never stale
		})
		f(name, 500, 503) // the old document was removed from the cache
	}
	f("new", 500, 503)
	if n := g.metric(`jobgate_source_duration_seconds_count{outcome="not_modified",source="http"}`); n < 2 {
		t.Errorf("%v revalidations, want at least 2", n)
	}
	if requests.Load() < 8 {
		t.Errorf("the source got only %d requests", requests.Load())
	}
}
