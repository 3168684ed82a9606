package memory

import (
	"context"
	"strconv"
	"time"

	"jobgate/gateway/jobs/engine"
)

type lease struct {
	engine.Lease
	until time.Time
}

type feedEntry struct {
	engine.Entry
	at time.Time
}

func (h *handle) Shared() bool { return true }

func (h *handle) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (l engine.Lease, held bool, err error) {
	err = h.write(ctx, "Acquire", func(t *tx) error {
		now := time.Now()
		have, _ := t.leases.get(name)
		expired := !now.Before(have.until)
		if held = expired || have.Holder == holder; !held {
			l, l.Left = have.Lease, have.until.Sub(now)
			return nil
		}
		l = engine.Lease{Name: name, Holder: holder, Term: have.Term, Left: ttl}
		if expired {
			l.Term++
		}
		t.leases.put(t.id, name, lease{l, now.Add(ttl)})
		return nil
	})
	return l, held && err == nil, err
}

func (h *handle) Release(ctx context.Context, l engine.Lease) error {
	return h.write(ctx, "Release", func(t *tx) error {
		if have, _ := t.leases.get(l.Name); have.Term == l.Term && have.Holder == l.Holder {
			t.leases.put(t.id, l.Name, lease{Lease: have.Lease})
		}
		return nil
	})
}

// Feed reads the feed. A cursor is the number of an entry.
func (h *handle) Feed(ctx context.Context, after string, limit int, wait time.Duration) ([]engine.Entry, string, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		t, err := h.read(ctx, "Feed")
		if err != nil {
			return nil, after, err
		}
		entries, next, err := t.entries(after, limit)
		if after = next; err != nil || len(entries) > 0 || wait <= 0 {
			return entries, next, err
		}
		select {
		case <-t.grown:
		case <-timer.C:
			wait = 0
		case <-ctx.Done():
			return nil, next, ctx.Err()
		}
	}
}

func (t *tx) entries(after string, limit int) (list []engine.Entry, next string, err error) {
	at := t.published
	if after != "" {
		if at, err = strconv.ParseInt(after, 10, 64); err != nil || at < t.pruned {
			return nil, after, engine.ErrMissed
		}
	}
	for _, entry := range where(t.feed.between(at+1, t.published+1), limit, func(feedEntry) bool { return true }) {
		list = append(list, entry.Entry)
	}
	return list, strconv.FormatInt(at+int64(len(list)), 10), nil
}

func (h *handle) PruneFeed(ctx context.Context, age time.Duration) error {
	return h.write(ctx, "PruneFeed", func(t *tx) error {
		for n, entry := range t.feed.all() {
			if time.Since(entry.at) > age {
				t.feed.remove(t.id, n)
				t.pruned = n
			}
		}
		return nil
	})
}
