package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// request is a change on its way to the writer.
type request struct {
	swaps []jobs.Swap     // the hot change, or …
	do    func(*tx) error // … any other
	err   error
	done  chan struct{} // one signal per use
}

// newRequest fills a store's pool. The pool is the store's own: its channels belong to where the store was opened, which
// in a test with a clock of its own is a bubble.
func newRequest() any { return &request{done: make(chan struct{}, 1)} }

// change hands a request to the writer by one of its queues, and waits for its commit.
func (s *Store) change(ctx context.Context, queue chan<- *request, swaps []jobs.Swap, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.writerMu.RLock()
	if s.shut.Load() {
		s.writerMu.RUnlock()
		return jobs.ErrClosed
	}
	s.writers.Add(1)
	s.writerMu.RUnlock()
	defer s.writers.Done()

	r := s.requests.Get().(*request)
	r.swaps, r.do, r.err = swaps, do, nil
	select {
	case queue <- r:
	case <-ctx.Done():
		s.requests.Put(r)
		return ctx.Err()
	}
	<-r.done // once it is queued it is made: its arguments are the caller's until then
	err := r.err
	r.swaps, r.do, r.err = nil, nil, nil
	s.requests.Put(r)
	return unavailable(err)
}

// unavailable makes errors of the disk what a client is told to come back for.
func unavailable(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultNoMem:
		return fmt.Errorf("%w: %w", jobs.Errorf(jobs.ErrUnavailable, "The change cannot be stored at present."), err)
	}
	return err
}

// write makes any change but a swap.
func (s *Store) write(ctx context.Context, do func(*tx) error) error {
	return s.change(ctx, s.queue, nil, do)
}

// writeSet makes a change of rows many rows long. If they are many it gets a group for itself, so that others wait for
// its end at most, and not with it for its commit.
func (s *Store) writeSet(ctx context.Context, rows int, do func(*tx) error) error {
	if rows <= smallSet {
		return s.write(ctx, do)
	}
	return s.change(ctx, s.sets, nil, do)
}

// smallSet is how many rows are few.
const smallSet = 64

// fail takes back what a change was going to answer.
func (r *request) fail(err error) {
	r.err = err
	for i := range r.swaps {
		r.swaps[i].Applied = false
	}
}
