package role

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobgate/presigner"
)

// bare returns a role without a refresher, for tests that only read it.
func bare(t testing.TB, o Options) *Role {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.roles[o.Roles[0].Name]
}

// session returns a session of 12 hours that ends at end.
func session(t testing.TB, end time.Time) *Session {
	t.Helper()
	c := presigner.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t", Expires: end}
	signer, err := presigner.NewSigner(c)
	if err != nil {
		t.Fatal(err)
	}
	return &Session{Role: "a", Signer: signer, Credentials: c, Expires: end, Issued: end.Add(-12 * time.Hour)}
}

func TestLifetime(t *testing.T) {
	now := time.Unix(1_800_000_000, 400_000_000)
	f := func(mode Mode, left, expires, want time.Duration, wantClamped bool, wantErr error) {
		t.Helper()
		clamps := 0
		o := (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a"), MaxExpires: 12 * time.Hour})
		o.OnShortSession = mode
		o.Metrics.Clamped = func(string) func() { return func() { clamps++ } }
		r := bare(t, o)
		granted, clamped, err := r.Lifetime(session(t, now.Add(left)), expires, now)
		if granted != want || clamped != wantClamped || !errors.Is(err, wantErr) {
			t.Errorf("mode %d, %v left, %v asked: %v, %v, %v; want %v, %v, %v",
				mode, left, expires, granted, clamped, err, want, wantClamped, wantErr)
		}
		if wantClamped != (clamps == 1) {
			t.Errorf("mode %d, %v left, %v asked: %d clamps counted", mode, left, expires, clamps)
		}
	}
	const m, h = time.Minute, time.Hour
	for _, mode := range []Mode{Clamp, Refuse, Ignore} {
		f(mode, h, 15*m, 15*m, false, nil)
		f(mode, h, h, h, false, nil)
		f(mode, h, 13*h, 0, false, ErrMaxExpires)
		f(mode, time.Second-1, h, 0, false, ErrUnavailable)
		f(mode, -h, h, 0, false, ErrUnavailable)
	}
	f(Clamp, h-1, h, h-time.Second, true, nil)
	f(Clamp, 90*time.Second+999*time.Millisecond, h, 90*time.Second, true, nil)
	f(Clamp, time.Second, h, time.Second, true, nil)
	f(Refuse, h-1, h, 0, false, ErrShortSession)
	f(Ignore, h-1, h, h, false, nil)
}

func TestLifetimeErrorsNameTheSetting(t *testing.T) {
	now := time.Now()
	o := (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a"), MaxExpires: time.Hour})
	o.OnShortSession = Refuse
	r := bare(t, o)
	f := func(expires time.Duration, want string) {
		t.Helper()
		_, _, err := r.Lifetime(session(t, now.Add(time.Minute)), expires, now)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), expires.String()) {
			t.Errorf("Lifetime(%v): %v, want %q in it", expires, err, want)
		}
	}
	f(2*time.Hour, "roles.a.max_expires")
	f(time.Hour, "presign.on_short_session")
}

func TestClampsAreLoggedOnlyWhenUnexplained(t *testing.T) {
	f := func(duration, expires, age time.Duration, down bool, want int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			sts, log := &fakeSTS{}, &journal{}
			o := sts.options(Config{Name: "a", ARN: arn("a"), SessionDuration: duration, Expires: expires})
			o.Log = log.logger()
			s := start(t, o)
			r := mustRole(t, s, "a")
			mustWait(t, r)
			if down {
				sts.down()
			}
			clamps := 0
			for range int(age / time.Second) {
				time.Sleep(time.Second)
				if _, clamped, err := r.Lifetime(r.Session(), expires, s.Now()); err != nil {
					t.Fatal(err)
				} else if clamped {
					clamps++
				}
			}
			if n := strings.Count(log.String(), "presigned URLs live shorter"); n != want {
				t.Errorf("sessions of %v, URLs of %v, STS down %v: %d warnings for %d clamps, want %d", duration, expires, down, n, clamps, want)
			}
		})
	}
	const m, h = time.Minute, time.Hour
	f(12*h, h, 11*h, false, 0) // no clamps at all
	f(h, h, 2*h, false, 0)     // always clamped, as expected
	f(h, h, 16*m, true, 1)     // STS is down: the loss exceeds a refresh's
	f(h, h, 25*m, true, 2)     // at most every ten minutes
	f(h, 2*h, 25*m, false, 3)  // sessions are never that long
	f(h, 15*m, 44*m, true, 0)  // renewed ahead of need: the outage has no effect yet
	f(h, 15*m, 46*m, true, 1)  // now it has
}

func FuzzLifetime(f *testing.F) {
	f.Add(int64(time.Hour), int64(time.Hour), int64(0), uint8(0))
	f.Add(int64(time.Second), int64(7*24*time.Hour), int64(999_999_999), uint8(1))
	f.Fuzz(func(t *testing.T, left, expires, nanos int64, mode uint8) {
		const week = int64(7 * 24 * time.Hour)
		expires = max(int64(time.Second), (expires%week+week)%week/int64(time.Second)*int64(time.Second))
		now := time.Unix(1_800_000_000, (nanos%1e9+1e9)%1e9)
		sess := session(t, now.Add(time.Duration(left%week)))
		o := (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a")})
		o.OnShortSession = Mode(mode % 3)
		granted, clamped, err := bare(t, o).Lifetime(sess, time.Duration(expires), now)
		switch end := now.Truncate(time.Second).Add(granted); { // as SigV4 counts
		case err != nil:
			if granted != 0 || clamped {
				t.Errorf("an error, and %v granted", granted)
			}
		case granted < time.Second || granted > time.Duration(expires) || granted%time.Second != 0:
			t.Errorf("granted %v of %v", granted, time.Duration(expires))
		case clamped != (granted < time.Duration(expires)):
			t.Errorf("granted %v of %v, clamped %v", granted, time.Duration(expires), clamped)
		case o.OnShortSession != Ignore && end.After(sess.Expires):
			t.Errorf("the URL lives until %v, the session until %v", end, sess.Expires)
		}
	})
}
