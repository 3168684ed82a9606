package driver

import (
	"testing"
	"testing/synctest"
	"time"
)

// A thousand reports on a job wake Run once a second if they start executions, and once per check if they end them.
func TestReportsWakeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Driver{scheduler: scheduler{kick: make(chan struct{}, 1), every: checkEvery}}
		d.scheduler.take(time.Now())
		woken := func(report func(jobID string)) (n int) {
			for range 1000 {
				report("j")
				select {
				case <-d.scheduler.kick:
					n++
				default:
				}
			}
			return n
		}
		f := func(what string, report func(jobID string), want int) {
			t.Helper()
			if n := woken(report); n != want {
				t.Errorf("%s: a thousand reports wake Run %d times, want %d", what, n, want)
			}
		}
		f("begun", d.Soon, 1)
		time.Sleep(d.published.every)
		f("begun, a second later, not checked yet", d.Soon, 0)
		if ids, _, _ := d.scheduler.take(time.Now()); len(ids) != 1 {
			t.Errorf("%v are due a second later, want one job", ids)
		}
		f("begun, checked", d.Soon, 1)
		f("ended", d.Schedule, 1)
		f("begun, after it was scheduled at once", d.Soon, 0)
		if ids, _, _ := d.scheduler.take(time.Now()); len(ids) != 1 {
			t.Errorf("%v are due at once, want one job", ids)
		}
		f("ended, checked", d.Schedule, 1)
	})
}

func TestSoonAllocations(t *testing.T) {
	d := &Driver{scheduler: scheduler{kick: make(chan struct{}, 1)}}
	if n := testing.AllocsPerRun(100, func() { d.Soon("j"); d.Schedule("j") }); n != 0 {
		t.Errorf("%v allocations a report", n)
	}
}
