package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"jobgate/presigner/miniotest"
)

// TestSkewedClock has S3 and STS ten minutes ahead of the gateway, and URLs that are valid for five minutes. If they were
// signed with the gateway's clock, they would have expired.
func TestSkewedClock(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const skew = 10 * time.Minute
	s.proxy.Inject(miniotest.Faults{Skew: skew})
	s.object("fw.bin", "bytes")
	s.object("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	g := s.serve(`
routes: [{path: /doc, document: "s3://$BUCKET/doc.json", content_type: application/json, expires: 5m}]
cache: {role: download}
` + downloadRole)
	url := get(t, "http://"+g.devices+"/doc").document(t)["url"]
	if a := get(t, url); a.status != http.StatusOK || a.body != "bytes" {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	if got := g.metric("jobgate_clock_skew_seconds"); got < 598 || got > 602 {
		t.Errorf("jobgate_clock_skew_seconds is %v, want 600", got)
	}
	if !strings.Contains(g.Log.String(), "the local clock is off") {
		t.Error("the log does not warn about the clock")
	}
	// The URL is refused after five minutes by the server's clock.
	s.proxy.Inject(miniotest.Faults{Skew: skew + 6*time.Minute})
	if a := get(t, url); a.status != http.StatusForbidden {
		t.Errorf("GET after the expiry: %d, want 403", a.status)
	}
}
