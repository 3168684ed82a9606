package rules

import (
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// TestThin samples a job for two years. The samples kept must stay within bounds and in order, the newest closest together.
func TestThin(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC)
	list := []jobs.Sample{{At: begin}}
	most := 0
	now := begin
	for i := int64(1); now.Sub(begin) < 2*365*24*time.Hour; i++ {
		now = now.Add(time.Minute)
		if i > 10_000 { // one a minute for a week, then one an hour
			now = now.Add(59 * time.Minute)
		}
		list = addSample(list, jobs.Sample{At: now, Counts: jobs.Counts{jobs.Succeeded: i}})
		most = max(most, len(list))
		if i == 10_000 {
			if len(list) < 60+66+78 || len(list) > 60+66+78+10 {
				t.Errorf("%d samples after a week", len(list))
			}
			if age := now.Sub(list[len(list)-60].At); age != 59*time.Minute {
				t.Errorf("the last 60 go back %v", age)
			}
			if list[0].At != begin {
				t.Errorf("the first is of %v", list[0].At)
			}
		}
	}
	if most > maxSamples {
		t.Errorf("%d samples were kept", most)
	}
	for i := 1; i < len(list); i++ {
		if !list[i-1].At.Before(list[i].At) || list[i-1].Counts[jobs.Succeeded] > list[i].Counts[jobs.Succeeded] {
			t.Fatalf("sample %d is %+v, before it is %+v", i, list[i], list[i-1])
		}
	}
	if last := list[len(list)-1]; last.At != now {
		t.Errorf("the last is of %v", last.At)
	}
}
