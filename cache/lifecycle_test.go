package cache

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestPurge(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "v1")
	wantLoad(t, c, "gone", start, brings("", errNotFound), "", errNotFound)
	// A load from before the purge answers, but its result is not kept.
	wantLoad(t, c, "slow", start, func(context.Context, string, bool) (string, error) {
		c.Purge()
		return "old", nil
	}, "old", nil)
	for _, key := range []string{"k", "gone", "slow"} {
		wantGet(t, c, key, start, "", Miss)
	}
	if s := c.Stats(); s.Entries != 0 || s.Bytes != 0 || s.Evictions != 0 {
		t.Errorf("unexpected stats after a purge: %+v", s)
	}
	mustLoad(t, c, "k", start, "v2")
	wantGet(t, c, "k", start, "v2", Fresh)
}

func TestReset(t *testing.T) {
	c := newCache(t)
	mustLoad(t, c, "k", start, "v1")
	cfg := *c.rules.Load()
	cfg.MaxBytes = 1
	if err := c.Reset(cfg); err == nil {
		t.Fatal("a cache of one byte was accepted")
	}
	wantGet(t, c, "k", start, "v1", Fresh)
	cfg = Config[string]{MaxBytes: 128 << 10, Cost: cfg.Cost, Fresh: time.Second}
	if err := c.Reset(cfg); err != nil {
		t.Fatal(err)
	}
	wantGet(t, c, "k", start, "", Miss)
	mustLoad(t, c, "k", start, "v2")
	wantGet(t, c, "k", start.Add(time.Second), "v2", Due)
	fill(t, c, 1000, 1000)
	if s := c.Stats(); s.Bytes > 128<<10 {
		t.Errorf("unexpected size: %d bytes are more than the new budget", s.Bytes)
	}
}

func TestClose(t *testing.T) {
	c := newCache(t)
	_, err := load(c, "k", start, func(ctx context.Context, _ string, _ bool) (string, error) {
		go c.Close()
		<-ctx.Done()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("unexpected error of a load cut short: %v", err)
	}
	c.Close()
	wantLoad(t, c, "k", start, nil, "", ErrClosed)
	wantGet(t, c, "k", start, "", Miss)
}

func TestConfigRefused(t *testing.T) {
	good := Config[string]{MaxBytes: 1 << 20, Cost: func(string) int64 { return 1 }}
	f := func(change func(*Config[string])) {
		t.Helper()
		cfg := good
		change(&cfg)
		if c, err := New(cfg); err == nil {
			c.Close()
			t.Errorf("accepted: %+v", cfg)
		}
	}
	f(func(c *Config[string]) { c.Cost = nil })
	f(func(c *Config[string]) { c.MaxBytes = 0 })
	f(func(c *Config[string]) { c.MaxBytes = MinBytes - 1 })
	f(func(c *Config[string]) { c.RecentBytes = 1 << 20 })
	f(func(c *Config[string]) { c.NegativeBytes = -1 })
	f(func(c *Config[string]) { c.Fresh = -1 })
	f(func(c *Config[string]) { c.MaxLoads = -1 })
}
