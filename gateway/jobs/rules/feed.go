package rules

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// publish adds notices to the feed, visible once the transaction is committed. With a single-handle engine it does
// nothing.
func (s *Store) publish(t engine.Tx, notices ...jobs.Notice) error {
	if !s.shared || len(notices) == 0 {
		return nil
	}
	entries := make([]engine.Entry, len(notices))
	for i := range notices {
		payload, err := notices[i].Encode()
		if err != nil {
			return err
		}
		entries[i] = engine.Entry{Job: notices[i].Row, Origin: s.lead.holder, Payload: payload}
	}
	return t.Publish(entries)
}

// publishExecutions publishes the new state of executions.
func (s *Store) publishExecutions(t engine.Tx, list []jobs.Execution) error {
	if !s.shared {
		return nil
	}
	return s.publish(t, jobs.NoticeExecutions(jobs.EventExecution, list)...)
}

// entry returns a swap's feed entry; nil with a single-handle engine.
func (s *Store) entry(w *jobs.Swap) ([]byte, error) {
	if !s.shared {
		return nil, nil
	}
	list := []jobs.Execution{w.New}
	if w.Next != nil {
		list = append(list, *w.Next)
	}
	return jobs.NoticeExecutions(jobs.EventExecution, list)[0].Encode()
}

// Feed implements jobs.Store.
func (s *Store) Feed(ctx context.Context, after string, limit int, wait time.Duration) ([]jobs.Notice, string, error) {
	entries, next, err := s.engine.Feed(ctx, after, limit, wait)
	if errors.Is(err, engine.ErrMissed) {
		return nil, next, fmt.Errorf("%w: %w", jobs.ErrFeedMissed, err)
	}
	if err != nil {
		return nil, next, problem(err)
	}
	notices := make([]jobs.Notice, 0, len(entries))
	for i := range entries {
		n, err := jobs.DecodeNotice(entries[i].Payload)
		if err != nil {
			continue // from a newer program; the schema version decides whether this one may run
		}
		notices = append(notices, n)
	}
	return notices, next, nil
}

// PruneFeed implements jobs.Store.
func (s *Store) PruneFeed(ctx context.Context, age time.Duration) error {
	return problem(s.engine.PruneFeed(ctx, age))
}
