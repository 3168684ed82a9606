package driver

import (
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// A job's counts are published at most once a second, however many devices report. The last ones are always published.
func TestPublished(t *testing.T) {
	m := published{every: time.Second}
	start := time.Unix(1_700_000_000, 0)
	at := func(after time.Duration, succeeded int64) jobs.Sample {
		return jobs.Sample{At: start.Add(after), Counts: jobs.Counts{jobs.Succeeded: succeeded, jobs.Queued: 100 - succeeded}}
	}
	for _, x := range []struct {
		sample jobs.Sample
		now    bool
		again  time.Duration // after start; 0: no check
	}{
		{at(0, 0), false, time.Second}, // another gateway may have published it
		{at(10*time.Millisecond, 1), false, time.Second},
		{at(time.Second, 1), true, 0},
		{at(1010*time.Millisecond, 1), false, 0},
		{at(1020*time.Millisecond, 2), false, 2 * time.Second},
		{at(1999*time.Millisecond, 3), false, 2 * time.Second},
		{at(2*time.Second, 3), true, 0},
		{at(time.Hour, 3), false, 0},
		{at(time.Minute, 4), true, 0}, // the clock was set back
	} {
		now, again := m.due("seven", x.sample)
		want := time.Time{}
		if x.again != 0 {
			want = start.Add(x.again)
		}
		if now != x.now || !again.Equal(want) {
			t.Errorf("%v %v: now %v, again %v; want %v, %v", x.sample.At.Sub(start), x.sample.Counts, now, again, x.now, want)
		}
	}
	m.record("eight", at(0, 1))
	if now, _ := m.due("eight", at(time.Second, 1)); now {
		t.Error("unchanged counts are published again")
	}
	if now, _ := m.due("eight", at(time.Second, 2)); !now {
		t.Error("changed counts are not published")
	}
	if now, again := m.due("nine", jobs.Sample{At: start}); now || !again.IsZero() {
		t.Error("a job without executions has counts to publish")
	}
}
