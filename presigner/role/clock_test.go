package role

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// date returns the parsed Date header of a server whose clock is ahead by skew.
func date(skew time.Duration) time.Time { return time.Now().Add(skew).Truncate(time.Second) }

func TestSkewIsTheMedian(t *testing.T) {
	f := func(want time.Duration, samples ...time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			c := newClock(time.Now, slog.New(slog.DiscardHandler))
			for _, s := range samples {
				c.observe(date(s), time.Now(), 0)
				time.Sleep(10 * time.Second)
			}
			got := time.Duration(c.applied.Load())
			if (got-want).Abs() > time.Second || (got == 0) != (want == 0) {
				t.Errorf("after %v the correction is %v, want %v", samples, got, want)
			}
		})
	}
	const s, m, h = time.Second, time.Minute, time.Hour
	f(0)
	f(0, 0)
	f(0, 3*s, -3*s, 3*s)
	f(0, 4*s)
	f(7*s, 7*s)
	f(-7*s, -7*s)
	f(10*m, 10*m, 10*m)
	f(0, 10*m, 0)                   // two that disagree: the smaller
	f(0, 0, 0, 10*m)                // one outlier
	f(0, 10*m, 0, 0, 10*m, 0)       //
	f(10*m, 0, 0, 10*m, 10*m, 10*m) // the clock went wrong
	f(0, 10*m, 10*m, 10*m, 10*m, 10*m, 0, 0, 0)
	f(23*h, 23*h)
	f(0, 25*h) // not corrected
	f(0, -25*h)
}

func TestSkewIgnoresUnusableAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock(time.Now, slog.New(slog.DiscardHandler))
		c.observe(time.Time{}, time.Now(), 0)
		c.observe(date(time.Hour), time.Now(), 11*time.Second)
		c.observe(date(time.Hour), time.Now(), -time.Second)
		if len(c.samples) != 0 {
			t.Errorf("%d samples, want none", len(c.samples))
		}
		// The answer was written half a round trip before it arrived.
		time.Sleep(500 * time.Millisecond) // the Date header is half a second old on average
		offset, ok := c.observe(time.Now().Add(-3500*time.Millisecond), time.Now(), 6*time.Second)
		if !ok || offset != 0 {
			t.Errorf("offset %v, %v, want 0, true", offset, ok)
		}
	})
}

func TestSkewIsForgottenAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, (&fakeSTS{}).options(Config{Name: ""}))
		s.ObserveDate(date(time.Hour), time.Now(), 0)
		if s.Skew() == 0 || time.Until(s.Now()) != s.Skew() {
			t.Errorf("Skew %v, Now is %v ahead", s.Skew(), time.Until(s.Now()))
		}
		time.Sleep(24*time.Hour + 2*time.Minute)
		if s.Skew() != 0 || s.MeasuredSkew() != 0 {
			t.Errorf("Skew %v, %v after a day without an answer", s.Skew(), s.MeasuredSkew())
		}
	})
}

func TestSmallSkewIsMeasuredOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, (&fakeSTS{skew: 4 * time.Second}).options(Config{Name: "a", ARN: arn("a")}))
		mustWait(t, mustRole(t, s, "a"))
		if m := s.MeasuredSkew().Round(time.Second); s.Skew() != 0 || m < 4*time.Second || m > 5*time.Second {
			t.Errorf("Skew %v, measured %v", s.Skew(), m)
		}
	})
}

// With a clock that is ten minutes off, STS refuses the first signature; its answer carries
// the time, and all later signatures are valid.
func TestSkewedByTenMinutes(t *testing.T) {
	f := func(skew time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts, log := &fakeSTS{skew: skew}, &journal{}
			o := sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour, Expires: 15 * time.Minute})
			o.Log = log.logger()
			s := start(t, o)
			r := mustRole(t, s, "a")
			sess := mustWait(t, r)
			if n := len(sts.seen("")); n != 2 {
				t.Errorf("skew %v: %d calls, want the refused one and the one corrected", skew, n)
			}
			if off := s.Skew() - skew; off.Abs() > time.Second {
				t.Errorf("skew %v: measured %v", skew, s.Skew())
			}
			// The session ends by the server's clock.
			if left := sess.left(s.Now()); (left - time.Hour).Abs() > 2*time.Second {
				t.Errorf("skew %v: %v are left of a session of an hour", skew, left)
			}
			if least := watch(t, s, r, 6*time.Hour); least < 15*time.Minute {
				t.Errorf("skew %v: only %v were left once, want 15m", skew, least)
			}
			if n := len(sts.seen("")); n > 13 {
				t.Errorf("skew %v: %d calls in 6 hours: later ones are not signed by the server's clock", skew, n)
			}
			if n := strings.Count(log.String(), "the local clock is off"); n != 2 { // at the retry, and as a warning
				t.Errorf("skew %v: logged %d times:\n%s", skew, n, log)
			}
		})
	}
	f(10 * time.Minute)
	f(-10 * time.Minute)
	f(3 * time.Hour)
}

// If the clock is right, a refusal is not retried with a corrected one.
func TestRefusalWithARightClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{refuse: func(string) *refusal { return &refusal{403, "AccessDenied", "no"} }}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a")}))
		_, _ = mustRole(t, s, "a").Wait(t.Context())
		if n := len(sts.seen("")); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

// The server's clock is corrected mid-run, or ours drifts: the next answers show it.
func TestSkewThatBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour, Expires: time.Hour}))
		time.Sleep(time.Hour)
		sts.set(func() { sts.skew = 10 * time.Minute })
		time.Sleep(30 * time.Minute)
		if off := s.Skew() - 10*time.Minute; off.Abs() > time.Second {
			t.Errorf("Skew %v, want 10m", s.Skew())
		}
		if st := s.Status()[0]; st.State != Ready {
			t.Errorf("Status %+v, want ready", st)
		}
	})
}

// wall is a local clock that can be set while the monotonic one continues.
type wall struct{ offset atomic.Int64 }

func (w *wall) Now() time.Time {
	return time.Now().Round(0).Add(time.Duration(w.offset.Load()))
}

// The clock is set, or the machine sleeps: measurements are void, and the sessions are
// renewed at once.
func TestClockIsSet(t *testing.T) {
	f := func(before, after time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts, w := &fakeSTS{}, &wall{}
			w.offset.Store(int64(before))
			o := sts.options(Config{Name: "a", ARN: arn("a")})
			o.Now = w.Now
			s := start(t, o)
			r := mustRole(t, s, "a")
			mustWait(t, r)
			time.Sleep(time.Hour)
			if off := time.Until(s.Now()); off.Abs() > 2*time.Second {
				t.Errorf("clock off by %v: corrected to %v off", before, off)
			}
			w.offset.Store(int64(after))
			time.Sleep(2 * maxSleep)
			if off := time.Until(s.Now()); off.Abs() > 2*time.Second {
				t.Errorf("clock set from %v to %v off: still %v off", before, after, off)
			}
			if left := r.Session().left(s.Now()); left < 12*time.Hour-3*time.Minute {
				t.Errorf("clock set from %v to %v off: the session was not renewed, %v are left", before, after, left)
			}
			calls := len(sts.seen(""))
			time.Sleep(time.Hour)
			if n := len(sts.seen("")) - calls; n != 0 {
				t.Errorf("clock set from %v to %v off: %d more calls", before, after, n)
			}
		})
	}
	const m, h = time.Minute, time.Hour
	f(0, 10*m)
	f(10*m, 0)
	f(0, -10*m)
	f(-10*m, 0)
	f(0, 5*h)
	f(10*m, -10*m)
}

// The first requests after the machine slept all wait for one call.
func TestMachineSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts, w := &fakeSTS{delay: time.Second}, &wall{}
		o := sts.options(Config{Name: "a", ARN: arn("a")})
		o.Now = w.Now
		s := start(t, o)
		r := mustRole(t, s, "a")
		old := mustWait(t, r)
		time.Sleep(time.Second)
		w.offset.Store(int64(13 * time.Hour)) // all other clocks advanced too
		sts.set(func() { sts.skew = 13 * time.Hour })
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if sess, err := r.Wait(t.Context()); err != nil || sess == old || !sess.usable(s.Now()) {
					t.Errorf("Wait: %v, %v", sess, err)
				}
			})
		}
		wg.Wait()
		if n := len(sts.seen("")); n != 2 {
			t.Errorf("%d calls, want the first and one more", n)
		}
	})
}

// The Date of a cached answer is not the current time.
func TestCachedAnswersAreIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{skew: 4 * time.Minute, age: "240"}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a")}))
		mustWait(t, mustRole(t, s, "a"))
		if s.MeasuredSkew() != 0 {
			t.Errorf("measured %v from an answer with an Age", s.MeasuredSkew())
		}
	})
}
