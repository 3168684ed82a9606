package storetest

import (
	"fmt"
	"strings"
	"time"

	"jobgate/gateway/jobs"
)

func testSamples(s *suite) {
	s.things("a")
	j := s.job("j", jobs.Snapshot, thing("a"))
	other := s.job("other", jobs.Snapshot, thing("a"))
	add := func(after time.Duration, succeeded int64) {
		s.Helper()
		s.OK(s.AddSample(bg, j, jobs.Sample{At: s.later(after), Counts: jobs.Counts{jobs.Queued: 99 - succeeded, jobs.Succeeded: succeeded}}))
	}
	check := func(want ...string) {
		s.Helper()
		list, err := s.Samples(bg, "j")
		s.OK(err)
		var got []string
		for _, one := range list {
			got = append(got, fmt.Sprintf("%v %d/%d", one.At.Sub(start), one.Counts[jobs.Succeeded], one.Counts.Total()))
		}
		s.same("samples", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	check()
	add(time.Second, 0)
	check("0s 0/0", "1s 0/99")
	add(time.Minute, 0) // equal counts are not stored
	add(time.Second, 5)
	add(time.Second, 6) // replaces the other of this minute
	check("0s 0/0", "1s 0/99", "1m3s 6/99")
	add(time.Minute, 7)
	add(-time.Second, 8) // the clock is behind
	check("0s 0/0", "1s 0/99", "1m3s 6/99", "2m3s 8/99")
	s.reopen()
	add(10*time.Minute, 9) // after a gap: the old counts are added a minute before
	check("0s 0/0", "1s 0/99", "1m3s 6/99", "2m3s 8/99", "11m2s 8/99", "12m2s 9/99")
	s.OK(s.AddSample(bg, other, jobs.Sample{At: s.now, Counts: jobs.Counts{jobs.Queued: 1}}))
	check("0s 0/0", "1s 0/99", "1m3s 6/99", "2m3s 8/99", "11m2s 8/99", "12m2s 9/99")

	_, err := s.Samples(bg, "none")
	s.Is(err, jobs.ErrNotFound)
	s.swapTo("j", func(j *jobs.Job) { j.Status, j.Sweep = jobs.JobDeleting, jobs.SweepDelete })
	s.OK(s.RemoveJob(bg, "j"))
	s.Is(s.AddSample(bg, j, jobs.Sample{At: s.now, Counts: jobs.Counts{1}}), jobs.ErrNotFound)
	again := s.job("j", jobs.Snapshot, thing("a")) // has none of the deleted job's samples
	check()
	s.OK(s.AddSample(bg, j, jobs.Sample{At: s.later(time.Minute), Counts: jobs.Counts{5}}))
	check()
	s.OK(s.AddSample(bg, again, jobs.Sample{At: s.now, Counts: jobs.Counts{5}}))
	list, err := s.Samples(bg, "j")
	s.OK(err)
	s.same("samples", len(list), 2)
}
