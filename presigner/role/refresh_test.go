package role

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRenewIn(t *testing.T) {
	f := func(left, expires, wantLow, wantHigh time.Duration) {
		t.Helper()
		low, high := renewIn(left, expires, 0), renewIn(left, expires, 0.999999)
		if low != wantLow || high.Round(time.Second) != wantHigh {
			t.Errorf("renewIn(%v, %v) = %v … %v, want %v … %v", left, expires, low, high, wantLow, wantHigh)
		}
	}
	f(12*time.Hour, 15*time.Minute, scale(704*time.Minute, 0.7), scale(704*time.Minute, 0.9))
	f(time.Hour, 15*time.Minute, scale(44*time.Minute, 0.7), scale(44*time.Minute, 0.9))
	f(time.Hour, 58*time.Minute, 42*time.Second, 54*time.Second)
	f(time.Hour, 59*time.Minute, 4*time.Minute, 6*time.Minute) // cannot keep ahead
	f(time.Hour, time.Hour, 4*time.Minute, 6*time.Minute)
	f(time.Hour, 7*24*time.Hour, 4*time.Minute, 6*time.Minute)
	f(6*time.Minute, 15*time.Minute, 3*time.Minute, 3*time.Minute) // nearly over
	f(time.Second, 15*time.Minute, time.Second, time.Second)
	f(-time.Hour, 15*time.Minute, time.Second, time.Second)
	f(never, 15*time.Minute, never, never)
}

func TestRetryIn(t *testing.T) {
	f := func(tries int, left, wantLow, wantHigh time.Duration) {
		t.Helper()
		low, high := retryIn(tries, left, 0), retryIn(tries, left, 1)
		if low != wantLow || high != wantHigh {
			t.Errorf("retryIn(%d, %v) = %v … %v, want %v … %v", tries, left, low, high, wantLow, wantHigh)
		}
	}
	f(1, 0, 500*time.Millisecond, time.Second)
	f(2, 0, time.Second, 2*time.Second)
	f(4, 0, 4*time.Second, 8*time.Second)
	f(5, 0, 5*time.Second, 10*time.Second)
	f(1000, 0, 5*time.Second, 10*time.Second)
	f(1000, -time.Hour, 5*time.Second, 10*time.Second)
	f(6, time.Hour, 16*time.Second, 32*time.Second)
	f(7, time.Hour, 30*time.Second, time.Minute)
	f(1000, time.Hour, 30*time.Second, time.Minute)
	f(1000, 2*time.Minute-1, 5*time.Second, 10*time.Second)
}

// watch checks the role's session every second for d and returns its smallest remaining
// lifetime.
func watch(t *testing.T, s *Set, r *Role, d time.Duration) (least time.Duration) {
	t.Helper()
	least = never
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		least = min(least, r.Session().left(s.Now()))
	}
	return least
}

func TestSessionsStayAheadOfExpires(t *testing.T) {
	f := func(duration, expires time.Duration, wantLeast time.Duration, wantCallsPerDay [2]int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts := &fakeSTS{delay: 300 * time.Millisecond}
			s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: duration, Expires: expires}))
			r := mustRole(t, s, "a")
			mustWait(t, r)
			if least := watch(t, s, r, 24*time.Hour); least < wantLeast {
				t.Errorf("sessions of %v, URLs of %v: only %v were left once, want %v", duration, expires, least, wantLeast)
			}
			if n := len(sts.seen("")); n < wantCallsPerDay[0] || n > wantCallsPerDay[1] {
				t.Errorf("sessions of %v, URLs of %v: %d calls a day, want %v", duration, expires, n, wantCallsPerDay)
			}
		})
	}
	f(12*time.Hour, 15*time.Minute, 15*time.Minute, [2]int{3, 4})
	f(time.Hour, 15*time.Minute, 15*time.Minute, [2]int{36, 50})
	f(12*time.Hour, 7*time.Hour, 7*time.Hour, [2]int{5, 10})
	// Too short to renew ahead of need: renewed every 5 min ± 20 %.
	f(time.Hour, time.Hour, 54*time.Minute-time.Second, [2]int{24 * 10, 24 * 15})
}

func TestOneCallInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: 9 * time.Second, lifetime: 20 * time.Second}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		r := mustRole(t, s, "a")
		for range 600 {
			time.Sleep(time.Second)
			r.attemptNow()
		}
		sts.set(func() {
			if sts.twice {
				t.Error("two calls were in flight for one role")
			}
		})
		if n := len(sts.seen("")); n < 30 {
			t.Errorf("%d calls, want at least 30", n)
		}
	})
}

func TestJitterSpreadsRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		var roles []Config
		for _, name := range strings.Split("abcdefghijklmnopqrst", "") {
			roles = append(roles, Config{Name: name, ARN: arn(name), Expires: time.Hour})
		}
		start(t, sts.options(roles...))
		time.Sleep(11 * time.Hour)
		minutes := map[time.Time]bool{}
		for _, c := range sts.seen("")[len(roles):] {
			minutes[c.at.Truncate(time.Minute)] = true
		}
		if len(minutes) < 12 {
			t.Errorf("20 roles were renewed within %d different minutes", len(minutes))
		}
	})
}

// A cold role costs one call, however many requests wait for it.
func TestColdStartIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: 2 * time.Second}
		s, err := New(sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		r := mustRole(t, s, "a")
		var wg sync.WaitGroup
		var good atomic.Int64
		for i := range 10_000 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 190 * time.Microsecond) // before, while and after it begins
				sess, err := r.Wait(context.Background())
				if err == nil && sess == r.Session() {
					good.Add(1)
				}
			})
		}
		time.Sleep(time.Second)
		s.Start(context.Background())
		wg.Wait()
		if good.Load() != 10_000 || len(sts.seen("")) != 1 {
			t.Errorf("%d of 10000 got the session with %d calls, want all with 1", good.Load(), len(sts.seen("")))
		}
	})
}

func TestColdFailureIsSharedAndQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: time.Second}
		up := sts.down()
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		r := mustRole(t, s, "a")
		if _, err := r.Wait(t.Context()); !errors.Is(err, ErrUnavailable) || len(sts.seen("")) != 1 {
			t.Errorf("Wait for the first attempt: %v after %d calls", err, len(sts.seen("")))
		}
		for range 100 { // in back-offs and during retries
			time.Sleep(300 * time.Millisecond)
			before, calls := time.Now(), len(sts.seen(""))
			_, err := r.Wait(t.Context())
			var u *UnavailableError
			if !errors.As(err, &u) || !errors.Is(err, ErrUnavailable) {
				t.Fatalf("Wait after a failure: %v, want an UnavailableError", err)
			}
			if time.Since(before) != 0 || len(sts.seen("")) != calls {
				t.Errorf("Wait after a failure took %v and %d calls", time.Since(before), len(sts.seen(""))-calls)
			}
			if u.RetryAfter < time.Second || u.RetryAfter > urgentBackoff {
				t.Errorf("RetryAfter = %v, want 1s … %v", u.RetryAfter, urgentBackoff)
			}
			if u.Role != "a" || !strings.Contains(err.Error(), "connection refused") {
				t.Errorf("the error does not say what happened: %v", err)
			}
		}
		up()
		time.Sleep(urgentBackoff + 2*time.Second)
		mustWait(t, r)
	})
}

func TestBackoffIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		sts.down()
		start(t, sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		time.Sleep(time.Hour)
		// 5 … 10 s apart after the first few.
		if n := len(sts.seen("")); n < 360 || n > 730 {
			t.Errorf("%d calls in an hour of outage, want 360 … 730", n)
		}
	})
}

// No reader sees an outage that ends before the session does.
func TestOutageWhileSessionsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour, Expires: time.Hour}))
		r := mustRole(t, s, "a")
		first := mustWait(t, r)
		up := sts.down()
		for range 50 {
			time.Sleep(time.Minute)
			sess := mustWait(t, r)
			if _, _, err := r.Lifetime(sess, time.Hour, s.Now()); err != nil {
				t.Fatalf("a reader saw the outage: %v", err)
			}
		}
		if st := r.Status(); st.State != Failing || !st.Usable || st.LastError == "" {
			t.Errorf("Status in the outage: %+v, want failing and usable", st)
		}
		if r.Session() != first {
			t.Error("the old session did not stay in use")
		}
		if n := len(sts.seen("")); n < 40 || n > 130 {
			t.Errorf("%d calls in 50 minutes of outage: want about one a minute", n)
		}
		up()
		time.Sleep(maxBackoff + time.Second)
		if st := r.Status(); st.State != Ready || st.LastError != "" || r.Session() == first {
			t.Errorf("Status after the outage: %+v, want a new session", st)
		}
	})
}

func TestOutageBeyondTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: time.Hour, Expires: time.Hour}))
		r := mustRole(t, s, "a")
		mustWait(t, r)
		up := sts.down()
		time.Sleep(70 * time.Minute)
		if _, err := r.Wait(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("Wait after the session's end: %v, want ErrUnavailable", err)
		}
		_, _, err := r.Lifetime(r.Session(), time.Hour, s.Now())
		var u *UnavailableError
		if !errors.As(err, &u) || u.RetryAfter <= 0 {
			t.Errorf("Lifetime after the session's end: %v, want an UnavailableError with RetryAfter", err)
		}
		if st := r.Status(); st.State != Failing || st.Usable {
			t.Errorf("Status after the session's end: %+v, want failing and not usable", st)
		}
		up()
		time.Sleep(urgentBackoff + time.Second)
		mustWait(t, r)
	})
}

// An STS that never answers must not block callers forever.
func TestSilentSTS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: 24 * time.Hour}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		r := mustRole(t, s, "a")
		before := time.Now()
		_, err := r.Wait(t.Context())
		if !errors.Is(err, ErrUnavailable) || time.Since(before) != attemptTimeout {
			t.Errorf("Wait: %v after %v, want ErrUnavailable after %v", err, time.Since(before), attemptTimeout)
		}
		if !strings.Contains(err.Error(), "no answer in time") {
			t.Errorf("the error does not say why: %v", err)
		}
	})
}

func TestWaitEndsWithItsContextAndTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{delay: 5 * time.Second}
		s := start(t, sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		r := mustRole(t, s, "a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v, want DeadlineExceeded", err)
		}
		go func() { time.Sleep(time.Second); s.Close() }()
		if _, err := r.Wait(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Wait while the Set is closed: %v, want ErrClosed", err)
		}
		if st := r.Status(); st.State != Cold || st.LastError != "" {
			t.Errorf("Status after Close: %+v: closing is no failure", st)
		}
	})
}

func TestStartContextEndsTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sts := &fakeSTS{}
		s, err := New(sts.options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.Start(ctx)
		sess := mustWait(t, mustRole(t, s, "a"))
		cancel()
		s.done.Wait() // a refresher that stays would deadlock the bubble
		if r := mustRole(t, s, "a"); mustWait(t, r) != sess {
			t.Error("the session is gone")
		}
	})
}
