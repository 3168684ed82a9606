package reclaim

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A mass of things brings about one collection, once it has ebbed; a few bring about none.
func TestEbb(t *testing.T) {
	f := func(what string, want int, freed ...int64) {
		t.Helper()
		var e Ebb
		now, got := time.Unix(1e9, 0), 0
		for _, n := range freed {
			now = now.Add(time.Second)
			if e.Due(n, now) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d collections, want %d", what, got, want)
		}
	}
	f("nothing", 0, 0, 0, 0)
	f("a few", 0, 500, 400, 0, 0)
	f("a mass", 1, 5000, 5000, 3000, 0, 10, 0)
	f("a mass that has not ebbed", 0, 5000, 5000, 3000, 0, 0)
	f("a mass at once", 1, 20000, 0, 0, 0)
	f("as it goes on", 0, 2000, 2000, 2000, 2000)
	f("two masses in a row", 1, 20000, 0, 0, 0, 20000, 0, 0, 0)
	f("a stream of few", 1, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
}

// A mass that is added brings about one collection each time, some seconds after the last of it; a few bring about none.
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
		f("a mass", 1, 2*time.Second, 0)
		f("more of it", 5000, 3*time.Second, 0)
		f("when it has ebbed", 0, 3*time.Second, 1)
		f("quiet", 0, time.Hour, 1)
		f("another mass", 20000, 5*time.Second, 2)
	})
}
