package reclaim

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTrigger checks that a burst of freed objects triggers one collection after it has ended, and that a few trigger none.
func TestTrigger(t *testing.T) {
	f := func(what string, want int, freed ...int64) {
		t.Helper()
		var trigger Trigger
		now, got := time.Unix(1e9, 0), 0
		for _, n := range freed {
			now = now.Add(time.Second)
			if trigger.Due(n, now) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d collections, want %d", what, got, want)
		}
	}
	f("nothing", 0, 0, 0, 0)
	f("a few", 0, 500, 400, 0, 0)
	f("a burst", 1, 5000, 5000, 3000, 0, 10, 0)
	f("a burst that has not ended", 0, 5000, 5000, 3000, 0, 0)
	f("a burst within one call", 1, 20000, 0, 0, 0)
	f("a burst that continues", 0, 2000, 2000, 2000, 2000)
	f("two bursts within 20 seconds", 1, 20000, 0, 0, 0, 20000, 0, 0, 0)
	f("a slow stream", 1, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
}

// TestWatch checks that each burst triggers one collection, some seconds after its end, and that a few trigger none.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var collections atomic.Int64
		w := Watch{Collect: func() { collections.Add(1) }}
		f := func(what string, things int, after time.Duration, want int64) {
			t.Helper()
			for range things {
				w.Add(1)
			}
			time.Sleep(after)
			synctest.Wait()
			if got := collections.Load(); got != want {
				t.Errorf("%s: %d collections, want %d", what, got, want)
			}
		}
		f("a few", 999, time.Minute, 0)
		f("a burst", 1, 2*time.Second, 0)
		f("more of the burst", 5000, 3*time.Second, 0)
		f("after the burst", 0, 3*time.Second, 1)
		f("quiet", 0, time.Hour, 1)
		f("another burst", 20000, 5*time.Second, 2)
	})
}
