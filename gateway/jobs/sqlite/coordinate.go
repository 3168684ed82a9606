package sqlite

import (
	"context"
	"time"

	"jobgate/gateway/jobs/engine"
)

// Shared implements engine.Coordinator. It is false, because the file's lock excludes other handles.
func (s *Store) Shared() bool { return false }

// Acquire implements engine.Coordinator. The only handle holds every lease.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (engine.Lease, bool, error) {
	if s.shut.Load() {
		return engine.Lease{}, false, engine.ErrClosed
	}
	return engine.Lease{Name: name, Holder: holder, Term: 1, Left: ttl}, true, ctx.Err()
}

// Release implements engine.Coordinator.
func (s *Store) Release(ctx context.Context, _ engine.Lease) error { return ctx.Err() }

// Feed implements engine.Coordinator. It has no entries, because no other handle changes the store.
func (s *Store) Feed(ctx context.Context, after string, _ int, wait time.Duration) ([]engine.Entry, string, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, after, nil
	case <-ctx.Done():
		return nil, after, ctx.Err()
	}
}

// PruneFeed implements engine.Coordinator.
func (s *Store) PruneFeed(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// Publish implements engine.Tx.
func (t *tx) Publish([]engine.Entry) error { return nil }
