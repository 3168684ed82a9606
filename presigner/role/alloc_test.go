//go:build !race

package role

import (
	"testing"
	"time"
)

func TestReadersAllocateNothing(t *testing.T) {
	r := bare(t, (&fakeSTS{}).options(Config{Name: "a", ARN: arn("a"), Expires: time.Hour, MaxExpires: 12 * time.Hour}))
	now := r.set.Now()
	f := func(name string, left time.Duration, read func()) {
		t.Helper()
		r.session.Store(session(t, now.Add(left)))
		if n := testing.AllocsPerRun(1000, read); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
	lifetime := func() {
		if role, ok := r.set.Role("a"); !ok || role != r {
			t.Fatal("no role")
		}
		if _, _, err := r.Lifetime(r.Session(), time.Hour, now); err != nil {
			t.Fatal(err)
		}
	}
	f("a lifetime that is covered", 2*time.Hour, lifetime)
	f("a lifetime that is clamped", 55*time.Minute, lifetime)
	f("Wait for a warm role", 2*time.Hour, func() { _, _ = r.Wait(t.Context()) })
	f("Skew and Now", time.Hour, func() {
		if r.set.Now().IsZero() || r.set.Skew() != 0 {
			t.Fatal("the clock is wrong")
		}
	})
}
