package operations_test

import (
	"fmt"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// TestProgressOverTime lets devices report over some minutes, with a restart in between, and reads the counts over time.
func TestProgressOverTime(t *testing.T) {
	f := newFixture(t)
	f.things("g", numbered(5)...)
	f.create("j", nil)
	begin := f.now
	check := func(want string) {
		t.Helper()
		list, err := f.ProgressOverTime(bg, f.now, "j")
		f.ok(err)
		text := ""
		for _, one := range list {
			text += fmt.Sprintf("%v %d/%d, ", one.At.Sub(begin), one.Counts[jobs.Succeeded], one.Counts.Total())
		}
		f.same("progress", text, want)
	}
	check("0s 0/0, 0s 0/5, ")
	f.pass(2 * time.Second)
	check("0s 0/0, 2s 0/5, 2s 0/5, ")
	for i := range 4 {
		f.report(fmt.Sprintf("t%02d", i), "j", jobs.Succeeded)
		f.pass(time.Second)
	}
	check("0s 0/0, 2s 0/5, 6s 4/5, ") // the current counts are not stored yet
	f.pass(time.Minute)
	f.restart()
	f.pass(time.Minute)
	check("0s 0/0, 2s 0/5, 1m6s 4/5, 2m6s 4/5, ")
	f.pass(5 * time.Minute)
	f.report("t04", "j", jobs.Succeeded)
	f.pass(time.Second)
	f.same("status", f.status("j"), "COMPLETED SUCCEEDED:5")
	const all = "0s 0/0, 2s 0/5, 1m6s 4/5, 6m7s 4/5, 7m7s 5/5, "
	check(all)
	f.pass(time.Hour)
	check(all) // the job has ended
	_, err := f.ProgressOverTime(bg, f.now, "none")
	f.is(err, jobs.ErrNotFound, "none")
}
