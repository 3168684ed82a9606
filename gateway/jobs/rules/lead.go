package rules

import (
	"context"
	"sync"
	"time"

	"jobgate/gateway/jobs/engine"
)

// The leader's lease. It is renewed every leaseRenew, and trusted until leaseMargin before it can expire by the database's
// clock.
const (
	leaseName   = "drive"
	leaseTime   = 8 * time.Second
	leaseRenew  = 2 * time.Second
	leaseRetry  = time.Second // how often standbys try to get it
	leaseMargin = time.Second
)

// lead is a handle's view of the lease.
type lead struct {
	mu      sync.Mutex
	holder  string // this handle, in the lease
	lease   engine.Lease
	renewed time.Time // when it was last renewed
	until   time.Time // leads until then; zero: does not lead
}

// Shared implements jobs.Store.
func (s *Store) Shared() bool { return s.shared }

// Lead implements jobs.Store.
func (s *Store) Lead(ctx context.Context) (leads bool, again time.Duration, err error) {
	if !s.shared {
		return true, leaseRenew, nil
	}
	l := &s.lead
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.until) && now.Sub(l.renewed) < leaseRenew {
		return true, leaseRenew, nil
	}
	lease, held, err := s.engine.Acquire(ctx, leaseName, l.holder, leaseTime)
	switch {
	case err != nil: // the lease it holds stays valid until its end
		return now.Before(l.until), leaseRetry, problem(err)
	case !held:
		l.until = time.Time{}
		return false, leaseRetry, nil
	}
	l.lease, l.renewed, l.until = lease, now, now.Add(lease.Left-leaseMargin)
	return now.Before(l.until), leaseRenew, nil
}

// Resign implements jobs.Store.
func (s *Store) Resign(ctx context.Context) error {
	l := &s.lead
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.until.IsZero() {
		return nil
	}
	l.until = time.Time{}
	return problem(s.engine.Release(ctx, l.lease))
}

// work describes a background step, fenced by the lease if this handle leads.
func (s *Store) work(rows int) engine.Work {
	w := engine.Work{Rows: rows}
	l := &s.lead
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Now().Before(l.until) {
		lease := l.lease
		w.Lease = &lease
	}
	return w
}
