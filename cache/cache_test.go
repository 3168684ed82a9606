package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	start       = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errDown     = errors.New("source is down")
	errNotFound = errors.New("no such document")
)

// newCache returns a cache of strings; change may adjust its configuration.
func newCache(tb testing.TB, change ...func(*Config[string])) *Cache[string] {
	tb.Helper()
	cfg := Config[string]{
		MaxBytes: 1 << 20, Fresh: 30 * time.Second, StaleIfError: time.Hour, Negative: 2 * time.Second,
		Cost:       func(s string) int64 { return int64(len(s)) },
		Definitive: func(err error) bool { return errors.Is(err, errNotFound) },
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		tb.Fatalf("cannot make a cache: %v", err)
	}
	tb.Cleanup(c.Close)
	return c
}

// brings returns a loader that returns value and err.
func brings(value string, err error) Loader[string] {
	return func(context.Context, string, bool) (string, error) { return value, err }
}

func load(c *Cache[string], key string, now time.Time, l Loader[string]) (string, error) {
	return c.Load(context.Background(), Request[string]{Key: []byte(key), Now: now, Source: "s3", Loader: l})
}

func mustLoad(tb testing.TB, c *Cache[string], key string, now time.Time, value string) {
	tb.Helper()
	if got, err := load(c, key, now, brings(value, nil)); got != value || err != nil {
		tb.Fatalf("unexpected load of %q: got %q, %v; want %q", key, got, err, value)
	}
}

func wantGet(tb testing.TB, c *Cache[string], key string, now time.Time, value string, state State) {
	tb.Helper()
	if got, s := c.Get([]byte(key), now); got != value || s != state {
		tb.Fatalf("unexpected Get(%q) at +%v: got %q, %v; want %q, %v", key, now.Sub(start), got, s, value, state)
	}
}

func wantLoad(tb testing.TB, c *Cache[string], key string, now time.Time, l Loader[string], value string, want error) {
	tb.Helper()
	if got, err := load(c, key, now, l); got != value || !errors.Is(err, want) {
		tb.Fatalf("unexpected Load(%q) at +%v: got %q, %v; want %q, %v", key, now.Sub(start), got, err, value, want)
	}
}

// idle waits until no load runs, in the background either.
func idle(c *Cache[string]) { c.running.Wait() }

func TestLifeOfAnEntry(t *testing.T) {
	c := newCache(t)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }

	wantGet(t, c, "k", at(0), "", Miss)
	mustLoad(t, c, "k", at(0), "v1")
	wantGet(t, c, "k", at(0), "v1", Fresh)
	wantGet(t, c, "k", at(26.9), "v1", Fresh) // up to a tenth of jitter
	wantLoad(t, c, "k", at(26.9), nil, "v1", nil)
	wantGet(t, c, "k", at(30), "v1", Due)

	// One load renews it; other requests are served meanwhile.
	release := make(chan struct{})
	wantLoad(t, c, "k", at(31), func(_ context.Context, old string, kept bool) (string, error) {
		<-release
		if old != "v1" || !kept {
			t.Errorf("unexpected old value %q, %v", old, kept)
		}
		return "v2", nil
	}, "v1", nil)
	wantGet(t, c, "k", at(31), "v1", Stale)
	wantLoad(t, c, "k", at(31), nil, "v1", nil)
	close(release)
	idle(c)
	wantGet(t, c, "k", at(31), "v2", Fresh)

	// Too old: the request waits for the source.
	wantGet(t, c, "k", at(100), "", Miss)
	wantLoad(t, c, "k", at(100), brings("v3", nil), "v3", nil)
	wantGet(t, c, "k", at(100), "v3", Fresh)

	if s := c.Stats(); s.Loads != 3 || s.Misses != 2 || s.Stale != 2 || s.Entries != 1 {
		t.Errorf("unexpected stats: %+v", s)
	}
}

func TestNotModified(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "v1")
	later := start.Add(time.Minute + time.Second)
	wantLoad(t, c, "k", later, brings("", ErrNotModified), "v1", nil)
	wantGet(t, c, "k", later.Add(26*time.Second), "v1", Fresh)

	// ErrNotModified without an old value is a fault of the loader, and returned.
	wantLoad(t, c, "other", start, brings("", ErrNotModified), "", ErrNotModified)
}

func TestSourceDown(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "v1")
	down := brings("", errDown)

	// The first request past the window asks the source, and gets the old value.
	now := start.Add(5 * time.Minute)
	wantGet(t, c, "k", now, "", Miss)
	wantLoad(t, c, "k", now, down, "v1", nil)
	// During the pause neither call loads or waits.
	wantGet(t, c, "k", now, "v1", Stale)
	wantLoad(t, c, "k", now, nil, "v1", nil)
	wantGet(t, c, "k", now.Add(790*time.Millisecond), "v1", Stale)
	// Then one request asks the source again, and the pause doubles.
	now = now.Add(1210 * time.Millisecond)
	wantGet(t, c, "k", now, "", Miss)
	wantLoad(t, c, "k", now, down, "v1", nil)
	wantGet(t, c, "k", now.Add(1590*time.Millisecond), "v1", Stale)
	// It recovers.
	now = now.Add(time.Minute)
	mustLoad(t, c, "k", now, "v2")
	wantGet(t, c, "k", now, "v2", Fresh)

	// Past StaleIfError there is nothing to serve.
	now = now.Add(2 * time.Hour)
	wantLoad(t, c, "k", now, down, "", errDown)
	wantGet(t, c, "k", now, "", Negative)
	wantLoad(t, c, "k", now, nil, "", errDown)
	mustLoad(t, c, "k", now.Add(1210*time.Millisecond), "v3")
	if s := c.Stats(); s.Loads != 6 || s.LoadErrors != 3 || s.Rescues != 2 {
		t.Errorf("unexpected stats: %+v", s)
	}
}

// A value that was evicted while its source failed is not loaded at each request.
func TestSourceDownAfterEviction(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "v1")
	now := start.Add(5 * time.Minute)
	wantLoad(t, c, "k", now, func(context.Context, string, bool) (string, error) {
		c.mu.Lock()
		h := c.hash([]byte("k"))
		c.drop(h, c.find(h, []byte("k")))
		c.mu.Unlock()
		return "", errDown
	}, "v1", nil)
	wantGet(t, c, "k", now, "v1", Stale)
}

func TestPauseGrows(t *testing.T) {
	cfg := Config[string]{Retry: time.Second, RetryMax: 30 * time.Second}
	f := func(failures int32, want time.Duration) {
		t.Helper()
		for range 100 {
			if d := cfg.pause(failures); d < want*8/10 || d > want*12/10 {
				t.Fatalf("unexpected pause after %d failures: %v, want %v ± 20 %%", failures, d, want)
			}
		}
	}
	f(1, time.Second)
	f(2, 2*time.Second)
	f(5, 16*time.Second)
	f(6, 30*time.Second)
	f(1<<30, 30*time.Second)
}

func TestDefinitiveError(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "v1")
	gone := brings("", fmt.Errorf("asking: %w", errNotFound))

	now := start.Add(31 * time.Second)
	wantLoad(t, c, "k", now, gone, "v1", nil) // in the background
	idle(c)
	wantGet(t, c, "k", now, "", Negative) // no stale value after a 404
	wantLoad(t, c, "k", now, nil, "", errNotFound)
	wantGet(t, c, "k", now.Add(1999*time.Millisecond), "", Negative)
	now = now.Add(3 * time.Second) // includes the time of the load
	wantGet(t, c, "k", now, "", Miss)
	mustLoad(t, c, "k", now, "v2")
	wantGet(t, c, "k", now, "v2", Fresh)
}

func TestNegativeOff(t *testing.T) {
	c := newCache(t, func(cfg *Config[string]) { cfg.Negative = 0 })
	wantLoad(t, c, "k", start, brings("", errNotFound), "", errNotFound)
	wantGet(t, c, "k", start, "", Miss)
}

func TestFreshZero(t *testing.T) {
	c := newCache(t, func(cfg *Config[string]) { cfg.Fresh = 0 })
	mustLoad(t, c, "k", start, "v1")
	now := start.Add(time.Second)
	wantGet(t, c, "k", now, "", Miss)
	mustLoad(t, c, "k", now, "v2")
	wantLoad(t, c, "k", now.Add(time.Second), brings("", errDown), "v2", nil)
}

func TestJitter(t *testing.T) {
	c := newCache(t)
	due := 0
	for i := range 200 {
		key := fmt.Sprint(i)
		mustLoad(t, c, key, start, "v")
		if _, s := c.Get([]byte(key), start.Add(28500*time.Millisecond)); s == Due {
			due++
		}
	}
	if due < 50 || due > 150 {
		t.Errorf("unexpected spread: %d of 200 entries are due halfway through the jitter", due)
	}
}

// Keys with the same hash must never answer for each other, in any of the three maps.
func TestHashCollision(t *testing.T) {
	c := newCache(t)
	c.hashMask = 0
	want := map[string]string{}
	for range 2000 {
		key := fmt.Sprintf("key-%d", rand.IntN(5))
		switch v, state := c.Get([]byte(key), start); state {
		case Fresh:
			if v != want[key] {
				t.Fatalf("unexpected value of %q: got %q, want %q", key, v, want[key])
			}
		case Miss:
			want[key] = key + fmt.Sprint(rand.Int())
			mustLoad(t, c, key, start, want[key])
		}
		gone := fmt.Sprintf("gone-%d", rand.IntN(5))
		if _, err := load(c, gone, start, brings("", fmt.Errorf("%s: %w", gone, errNotFound))); err.Error() != gone+": "+errNotFound.Error() {
			t.Fatalf("unexpected error of %q: %v", gone, err)
		}
	}
}

func TestAppendPart(t *testing.T) {
	join := func(parts ...string) string {
		key := []byte("foo")
		for _, p := range parts {
			key = AppendPart(key, []byte(p))
		}
		return string(key)
	}
	if got, want := join("a", ""), "foo\x01a\x00"; got != want {
		t.Errorf("unexpected key: %q, want %q", got, want)
	}
	if join("ab", "c") == join("a", "bc") || join("a") == join("a", "") || join("\x01a") == join("", "a") {
		t.Error("different parts give one key")
	}
}
