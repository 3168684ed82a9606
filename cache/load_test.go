package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs f with a cache on synctest's clock: nothing here really sleeps.
func bubble(t *testing.T, change func(*Config[string]), f func(t *testing.T, c *Cache[string])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f(t, newCache(t, func(cfg *Config[string]) {
			cfg.LoadTimeout = 10 * time.Second
			if change != nil {
				change(cfg)
			}
		}))
	})
}

// slow returns a loader that takes d, or until its context ends.
func slow(d time.Duration, value string) Loader[string] {
	return func(ctx context.Context, _ string, _ bool) (string, error) {
		select {
		case <-time.After(d):
			return value, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func TestTenThousandWaitersOneLoad(t *testing.T) {
	bubble(t, nil, func(t *testing.T, c *Cache[string]) {
		var loads atomic.Int32
		var all sync.WaitGroup
		for range 10_000 {
			all.Go(func() {
				wantLoad(t, c, "k", time.Now(), func(ctx context.Context, _ string, _ bool) (string, error) {
					loads.Add(1)
					return slow(time.Second, "v")(ctx, "", false)
				}, "v", nil)
			})
		}
		all.Wait()
		if n := loads.Load(); n != 1 {
			t.Errorf("unexpected number of loads: %d, want 1", n)
		}
	})
}

func TestTenThousandWaitersOneFailure(t *testing.T) {
	bubble(t, nil, func(t *testing.T, c *Cache[string]) {
		var loads atomic.Int32
		var all sync.WaitGroup
		for range 10_000 {
			all.Go(func() {
				wantLoad(t, c, "k", time.Now(), func(context.Context, string, bool) (string, error) {
					loads.Add(1)
					return "", errDown
				}, "", errDown)
			})
		}
		all.Wait()
		if n := loads.Load(); n != 1 {
			t.Errorf("unexpected number of loads: %d, want 1", n)
		}
		if s := c.Stats(); s.LoadErrors != 1 || s.Errors == 0 {
			t.Errorf("unexpected stats: %+v", s)
		}
	})
}

// A load continues after its caller has left.
func TestCancelledWaiterLeavesTheLoad(t *testing.T) {
	bubble(t, nil, func(t *testing.T, c *Cache[string]) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r := Request[string]{Key: []byte("k"), Now: time.Now(), Source: "s3", Loader: slow(2*time.Second, "v")}
		if _, err := c.Load(ctx, r); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrBusy) {
			t.Errorf("unexpected error: %v", err)
		}
		wantLoad(t, c, "k", time.Now(), brings("", errDown), "v", nil) // joins the load
		if n := c.Stats().Loads; n != 1 {
			t.Errorf("unexpected number of loads: %d, want 1", n)
		}
	})
}

func TestLoadTimeout(t *testing.T) {
	bubble(t, nil, func(t *testing.T, c *Cache[string]) {
		began := time.Now()
		wantLoad(t, c, "k", began, slow(time.Hour, ""), "", context.DeadlineExceeded)
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("unexpected duration: %v", d)
		}
		// The pause counts from the end of the load, not from its beginning.
		wantGet(t, c, "k", time.Now(), "", Negative)
	})
}

func TestMaxLoads(t *testing.T) {
	bubble(t, func(cfg *Config[string]) { cfg.MaxLoads = 4 }, func(t *testing.T, c *Cache[string]) {
		var now, most atomic.Int32
		loader := func(ctx context.Context, _ string, _ bool) (string, error) {
			for n := now.Add(1); ; {
				if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			defer now.Add(-1)
			return slow(time.Second, "v")(ctx, "", false)
		}
		began := time.Now()
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() { wantLoad(t, c, fmt.Sprint(i), began, loader, "v", nil) })
		}
		// Another source has slots of its own.
		other := Request[string]{Key: []byte("other"), Now: began, Source: "http", Loader: brings("o", nil)}
		if v, err := c.Load(t.Context(), other); v != "o" || err != nil || time.Since(began) != 0 {
			t.Errorf("unexpected load from the other source: %q, %v after %v", v, err, time.Since(began))
		}
		all.Wait()
		if n, d := most.Load(), time.Since(began); n != 4 || d != 8*time.Second {
			t.Errorf("unexpected run: %d loads at once in %v, want 4 in 8s", n, d)
		}
	})
}

// A load without a slot returns ErrBusy, at the end of the caller's context or of the wait
// for a slot. ErrBusy is not remembered, and a load that nobody waits for is not started.
func TestBusy(t *testing.T) {
	bubble(t, func(cfg *Config[string]) { cfg.MaxLoads = 1 }, func(t *testing.T, c *Cache[string]) {
		stuck := func(context.Context, string, bool) (string, error) { // ignores its context
			time.Sleep(time.Minute)
			return "v", nil
		}
		began := time.Now()
		go func() { _, _ = load(c, "stuck", began, stuck) }()
		synctest.Wait()

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		never := func(context.Context, string, bool) (string, error) {
			t.Error("a load started that nobody waits for")
			return "", nil
		}
		_, err := c.Load(ctx, Request[string]{Key: []byte("k"), Now: began, Source: "s3", Loader: never})
		if !errors.Is(err, ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("unexpected error: %v", err)
		}
		wantLoad(t, c, "k", time.Now(), never, "", ErrBusy)
		if d := time.Since(began); d != 11*time.Second {
			t.Errorf("unexpected duration: %v", d)
		}
		wantGet(t, c, "k", time.Now(), "", Miss)
		time.Sleep(time.Minute)
		mustLoad(t, c, "k", time.Now(), "v")
	})
}

// A source that does not answer delays one request by StaleWait; the others get the old
// value at once, until the load and the pause after it have ended.
func TestSlowSourceWithOldValue(t *testing.T) {
	bubble(t, nil, func(t *testing.T, c *Cache[string]) {
		mustLoad(t, c, "k", time.Now(), "v1")
		time.Sleep(5 * time.Minute)
		began := time.Now()
		wantGet(t, c, "k", began, "", Miss)
		wantLoad(t, c, "k", began, slow(time.Hour, ""), "v1", nil)
		if d := time.Since(began); d != time.Second {
			t.Errorf("unexpected wait: %v, want StaleWait of 1s", d)
		}
		for range 9 {
			wantGet(t, c, "k", time.Now(), "v1", Stale)
			time.Sleep(time.Second)
		}
		idle(c)
		wantGet(t, c, "k", time.Now(), "v1", Stale)
		if n := c.Stats().Loads; n != 2 {
			t.Errorf("unexpected number of loads: %d, want 2", n)
		}
		// It answers again.
		time.Sleep(5 * time.Second)
		mustLoad(t, c, "k", time.Now(), "v2")
	})
}

// When the caller's context ends and an old value is available, it is returned, not an error.
func TestCancelledWaiterGetsOldValue(t *testing.T) {
	bubble(t, nil, func(t *testing.T, c *Cache[string]) {
		mustLoad(t, c, "k", time.Now(), "v1")
		time.Sleep(5 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		v, err := c.Load(ctx, Request[string]{Key: []byte("k"), Now: time.Now(), Source: "s3", Loader: slow(time.Hour, "")})
		if v != "v1" || err != nil {
			t.Errorf("unexpected answer: %q, %v", v, err)
		}
	})
}

func TestLoaderPanics(t *testing.T) {
	c := newCache(t)
	_, err := load(c, "k", start, func(context.Context, string, bool) (string, error) { panic("ouch") })
	if err == nil || !strings.Contains(err.Error(), "ouch") {
		t.Errorf("unexpected error: %v", err)
	}
	wantLoad(t, c, "k", start, nil, "", err)
	mustLoad(t, c, "k", start.Add(time.Minute), "v")
}

// Everything at once, for the race detector: no key ever answers for another, and a later
// value is never followed by an earlier one (except around a purge: a load from before it
// may end after one from after it).
func TestEverythingAtOnce(t *testing.T)           { everything(t, false) }
func TestEverythingAtOnceWithPurges(t *testing.T) { everything(t, true) }

func everything(t *testing.T, purges bool) {
	c := newCache(t, func(cfg *Config[string]) { cfg.MaxBytes, cfg.MaxLoads = 128<<10, 8 })
	var versions [64]atomic.Int64
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			var seen [len(versions)]int64
			for i := range 3000 {
				n := (i*7 + worker) % len(versions)
				now := start.Add(time.Duration(i) * 100 * time.Millisecond)
				key := fmt.Appendf(nil, "key-%02d", n)
				v, state := c.Get(key, now)
				if !state.Usable() || state == Due {
					v, _ = c.Load(t.Context(), Request[string]{Key: key, Now: now, Source: "s3", Loader: versioned(&versions[n], n, i)})
				}
				var version int64
				if v != "" {
					if _, err := fmt.Sscanf(v, string(key)+" %d", &version); err != nil || version < seen[n] && !purges {
						t.Errorf("unexpected value of %q after version %d: %.30q", key, seen[n], v)
					}
					seen[n] = version
				}
				switch {
				case i%100 == 0:
					c.Resize(key, int64(i))
				case purges && i%991 == 0:
					c.Purge()
				case i%499 == 0:
					c.Stats()
				}
			}
		})
	}
	all.Wait()
	if s := c.Stats(); s.Bytes > 128<<10 {
		t.Errorf("unexpected size: %d bytes are more than the budget", s.Bytes)
	}
}

func versioned(version *atomic.Int64, n, i int) Loader[string] {
	return func(context.Context, string, bool) (string, error) {
		switch i % 10 {
		case 0:
			return "", errDown
		case 1:
			return "", errNotFound
		case 2:
			return "", ErrNotModified
		default:
			return fmt.Sprintf("key-%02d %d %s", n, version.Add(1), strings.Repeat("x", i)), nil
		}
	}
}
