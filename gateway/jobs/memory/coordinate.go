package memory

import (
	"context"
	"strconv"
	"time"

	"jobgate/gateway/jobs/engine"
)

// Shared implements engine.Coordinator.
func (e *Engine) Shared() bool { return true }

// Acquire implements engine.Coordinator.
func (e *Engine) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (engine.Lease, bool, error) {
	if _, err := e.enter(ctx, "Acquire"); err != nil {
		return engine.Lease{}, false, err
	}
	defer e.db.mu.Unlock()
	now := time.Now()
	have := e.db.leases[name]
	if have.Holder != holder && now.Before(have.until) {
		have.Left = have.until.Sub(now)
		return have.Lease, false, nil
	}
	if have.Holder != holder || !now.Before(have.until) {
		have.Term++
	}
	have.Name, have.Holder, have.Left, have.until = name, holder, ttl, now.Add(ttl)
	e.db.leases[name] = have
	return have.Lease, true, nil
}

// Release implements engine.Coordinator.
func (e *Engine) Release(ctx context.Context, l engine.Lease) error {
	if _, err := e.enter(ctx, "Release"); err != nil {
		return err
	}
	defer e.db.mu.Unlock()
	if have := e.db.leases[l.Name]; have.Term == l.Term && have.Holder == l.Holder {
		have.until = time.Time{}
		e.db.leases[l.Name] = have
	}
	return nil
}

// commit shows what a transaction published.
func (d *Database) commit(entries []engine.Entry) {
	if len(entries) == 0 {
		return
	}
	for _, entry := range entries {
		d.feed = append(d.feed, feedEntry{entry, time.Now()})
	}
	close(d.grown)
	d.grown = make(chan struct{})
}

// Feed implements engine.Coordinator. A cursor is how many entries came before.
func (e *Engine) Feed(ctx context.Context, after string, limit int, wait time.Duration) ([]engine.Entry, string, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		if _, err := e.enter(ctx, "Feed"); err != nil {
			return nil, after, err
		}
		entries, next, err := e.db.read(after, limit)
		grown := e.db.grown
		e.db.mu.Unlock()
		if after = next; err != nil || len(entries) > 0 || wait <= 0 {
			return entries, next, err
		}
		select {
		case <-grown:
		case <-timer.C:
			wait = 0
		case <-ctx.Done():
			return nil, next, ctx.Err()
		}
	}
}

func (d *Database) read(after string, limit int) (entries []engine.Entry, next string, err error) {
	at := d.pruned + len(d.feed)
	if after != "" {
		if at, err = strconv.Atoi(after); err != nil || at < d.pruned {
			return nil, after, engine.ErrMissed
		}
	}
	for ; at < d.pruned+len(d.feed) && len(entries) < limit; at++ {
		entries = append(entries, d.feed[at-d.pruned].Entry)
	}
	return entries, strconv.Itoa(at), nil
}

// PruneFeed implements engine.Coordinator.
func (e *Engine) PruneFeed(ctx context.Context, age time.Duration) error {
	if _, err := e.enter(ctx, "PruneFeed"); err != nil {
		return err
	}
	defer e.db.mu.Unlock()
	n := 0
	for n < len(e.db.feed) && time.Since(e.db.feed[n].at) > age {
		n++
	}
	e.db.feed, e.db.pruned = e.db.feed[n:], e.db.pruned+n
	return nil
}
