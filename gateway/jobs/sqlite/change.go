package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// request is a change on its way to the writer.
type request struct {
	changes []engine.Change // for Apply, or …
	do      func(*tx) error // … a function, for Update and others
	err     error
	done    chan struct{} // one signal per use
}

// newRequest returns a request for a store's pool. Each store has its own pool: channels belong to their synctest bubble.
func newRequest() any { return &request{done: make(chan struct{}, 1)} }

// change sends a request to the writer through one of its queues, and waits for the commit.
func (s *Store) change(ctx context.Context, queue chan<- *request, changes []engine.Change, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.writerMu.RLock()
	if s.shut.Load() {
		s.writerMu.RUnlock()
		return engine.ErrClosed
	}
	s.writers.Add(1)
	s.writerMu.RUnlock()
	defer s.writers.Done()

	r := s.requests.Get().(*request)
	r.changes, r.do, r.err = changes, do, nil
	select {
	case queue <- r:
	case <-ctx.Done():
		s.requests.Put(r)
		return ctx.Err()
	}
	<-r.done // no ctx: a queued change is executed, and it uses the caller's arguments until then
	err := r.err
	r.changes, r.do, r.err = nil, nil, nil
	s.requests.Put(r)
	return unavailable(err)
}

// unavailable adds engine.ErrUnavailable to errors of the disk.
func unavailable(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultReadOnly, sqlite.ResultCantOpen, sqlite.ResultNoMem:
		return fmt.Errorf("%w: %w", engine.ErrUnavailable, err)
	}
	return err
}

// Update implements engine.Engine. A change of many rows gets its own group, so that small changes do not share its
// transaction and wait for its commit.
func (s *Store) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	queue := s.queue
	if w.Rows > smallSet {
		queue = s.sets
	}
	return s.change(ctx, queue, nil, func(t *tx) error { return change(t) })
}

// View implements engine.Engine.
func (s *Store) View(ctx context.Context, read func(engine.Reader) error) error {
	return s.read(ctx, func(c *sqlite.Conn) error { return read(reader{c}) })
}

// smallSet is the most rows of a small change.
const smallSet = 64

// fail replaces a request's answer by an error.
func (r *request) fail(err error) {
	r.err = err
	for i := range r.changes {
		r.changes[i].Applied = false
	}
}
