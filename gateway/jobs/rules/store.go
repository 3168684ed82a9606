package rules

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// Store implements jobs.Store over an engine.
type Store struct {
	engine engine.Engine
	lists  sync.Pool // *[]engine.Execution
	change sync.Pool // *[]engine.Change
	lead   lead
	shared bool // other handles may change the store, and read its feed
}

var _ jobs.Store = (*Store)(nil)

// Over returns a store over an engine. Closing it closes the engine.
func Over(e engine.Engine) *Store {
	return &Store{
		engine: e, lead: lead{holder: rand.Text()}, shared: e.Shared(),
		lists:  sync.Pool{New: func() any { return new([]engine.Execution) }},
		change: sync.Pool{New: func() any { return new([]engine.Change) }},
	}
}

// Close implements jobs.Store.
func (s *Store) Close() error { return s.engine.Close() }

// view reads one state of the rows.
func (s *Store) view(ctx context.Context, read func(r engine.Reader) error) error {
	return problem(s.engine.View(ctx, read))
}

// update changes about n rows in a transaction. change may run several times.
func (s *Store) update(ctx context.Context, n int, change func(t engine.Tx) error) error {
	return problem(s.engine.Update(ctx, engine.Work{Rows: n}, change))
}

// background is update for a step of the background work.
func (s *Store) background(ctx context.Context, n int, change func(t engine.Tx) error) error {
	return problem(s.engine.Update(ctx, s.work(n), change))
}

// problem converts an engine's error to one with a message for the client.
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, engine.ErrUnavailable):
		return fmt.Errorf("%w: %w", jobs.Errorf(jobs.ErrUnavailable, "The change cannot be stored at present."), err)
	case errors.Is(err, engine.ErrUnknown):
		return fmt.Errorf("%w: %w", jobs.Errorf(jobs.ErrUnavailable, "It is not known whether the change was stored; read it again."), err)
	case errors.Is(err, engine.ErrFenced):
		return fmt.Errorf("%w: %w", jobs.Errorf(jobs.ErrVersionConflict, "Another gateway drives the jobs now."), err)
	case errors.Is(err, engine.ErrFull):
		return fmt.Errorf("%w: %w", jobs.Errorf(jobs.ErrLimitExceeded, "The store is full."), err)
	}
	return err
}

func noJob(id string) error { return jobs.Errorf(jobs.ErrNotFound, "Job %s does not exist.", id) }

func noThing(name string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Thing %s does not exist.", name)
}

func noGroup(name string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Thing group %s does not exist.", name)
}

func noTemplate(id string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Job template %s does not exist.", id)
}

func noExecution(thing, job string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Job %s does not exist for thing %s.", job, thing)
}

// page cuts a list with one extra row to a page, and returns the next cursor.
func page[R any](rows []R, limit int, cursor func(*R) string) (list []R, next string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], cursor(&rows[limit-1])
}

// cursor writes and pair reads two numbers; without them they are 0.
func cursor(a, b int64) string { return strconv.FormatInt(a, 10) + "." + strconv.FormatInt(b, 10) }

func pair(cursor string) (a, b int64) {
	x, y, _ := strings.Cut(cursor, ".")
	return number(x), number(y)
}

func number(cursor string) int64 {
	n, _ := strconv.ParseInt(cursor, 10, 64)
	return n
}

// millis returns a time as stored, in milliseconds; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
