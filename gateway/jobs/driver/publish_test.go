package driver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// TestLogEnd checks that the log says that a job has ended, and how.
func TestLogEnd(t *testing.T) {
	var out bytes.Buffer
	p := NewPublisher(false, slog.New(slog.NewTextHandler(&out, nil)))
	j, counts := &jobs.Job{ID: "j", ReasonCode: "ABORTED"}, &jobs.Counts{}
	counts[jobs.Succeeded], counts[jobs.Failed], counts[jobs.Queued] = 3, 2, 1
	for _, e := range []jobs.EventType{jobs.EventJobCreated, jobs.EventJobProgress, jobs.EventJobUpdated} {
		if p.Job(e, j, counts, time.Now()); out.Len() > 0 {
			t.Errorf("%s: %s", e, out.String())
		}
	}
	for _, e := range []jobs.EventType{jobs.EventJobCompleted, jobs.EventJobCanceling, jobs.EventJobCanceled} {
		out.Reset()
		p.Job(e, j, counts, time.Now())
		if want := "event=" + string(e) + " job=j reason=ABORTED succeeded=3 failed=2 timed_out=0 rejected=0 canceled=0 pending=1\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("got %swant %s", out.String(), want)
		}
	}
}
