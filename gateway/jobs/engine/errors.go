package engine

import "errors"

// Errors of an engine; compare with errors.Is.
var (
	// ErrNotFound: the row that a method names does not exist.
	ErrNotFound = errors.New("jobs engine: not found")
	// ErrExists: the name of a row to be inserted is taken.
	ErrExists = errors.New("jobs engine: already exists")
	// ErrFenced: the lease that a transaction goes by has passed to another holder; nothing was changed.
	ErrFenced = errors.New("jobs engine: lease lost")
	// ErrMissed: the feed no longer holds what follows the cursor; the caller reads everything anew.
	ErrMissed = errors.New("jobs engine: feed pruned")
	// ErrUnknown: whether a change was committed could not be found out in time.
	ErrUnknown = errors.New("jobs engine: outcome unknown")
	// ErrUnavailable: the database cannot be reached, or takes no changes (its disk is full). The change was not made.
	ErrUnavailable = errors.New("jobs engine: unavailable")
	// ErrFull: a number that rows are counted by has reached its bound.
	ErrFull = errors.New("jobs engine: full")

	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("jobs: store is closed")
	// ErrInUse: the engine admits one handle at a time, and there is one.
	ErrInUse = errors.New("jobs: store is in use")
	// ErrNewer: a newer version of the program wrote the store.
	ErrNewer = errors.New("jobs: store was written by a newer version")
)
