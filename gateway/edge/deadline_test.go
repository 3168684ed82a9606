package edge

import (
	"testing"
	"time"
)

// TestLateDeadline follows a connection that is kept alive.
func TestLateDeadline(t *testing.T) {
	const slack = time.Second
	begin := time.Now()
	var d lateDeadline
	f := func(after time.Duration, wanted time.Time, due bool) {
		t.Helper()
		d.wanted = wanted
		at, isDue := d.next(slack)
		switch {
		case isDue != due:
			t.Errorf("after %v: due is %v, want %v", after, isDue, due)
		case isDue && wanted.IsZero() != at.IsZero():
			t.Errorf("after %v: the deadline is %v, wanted is %v", after, at, wanted)
		case isDue && !wanted.IsZero() && (at.Before(wanted) || at.Sub(wanted) > slack):
			t.Errorf("after %v: the deadline is %v late", after, at.Sub(wanted))
		}
	}
	idle := func(after time.Duration, due bool) { t.Helper(); f(after, begin.Add(after+75*time.Second), due) }
	reading := func(after time.Duration, due bool) { t.Helper(); f(after, begin.Add(after+10*time.Second), due) }
	f(0, time.Time{}, false)              // none is wanted, none is set
	reading(0, true)                      // a new connection
	idle(time.Millisecond, true)          // idle: later
	idle(500*time.Millisecond, false)     // the next request was read in one go
	idle(time.Second, false)              // the deadline in effect is not too early
	idle(1002*time.Millisecond, true)     // now it is
	reading(1100*time.Millisecond, true)  // half a request: sooner
	reading(1100*time.Millisecond, false) // the other half
	f(2*time.Second, time.Time{}, true)   // none is wanted any more
	f(2*time.Second, time.Time{}, false)  // still none
	f(3*time.Second, begin, true)         // one that has passed already
	f(3*time.Second, begin.Add(1), false) // later by less than the slack
	f(3*time.Second, begin.Add(time.Minute), true)
	d.lost = true // the read was interrupted
	f(3*time.Second, begin.Add(time.Minute), true)
	d.lost = true
	f(3*time.Second, time.Time{}, true)
	f(3*time.Second, time.Time{}, false)
}
