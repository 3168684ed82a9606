package engine

import "errors"

// Errors of an engine; compare with errors.Is.
var (
	// ErrNotFound: the row does not exist.
	ErrNotFound = errors.New("jobs engine: not found")
	// ErrExists: the name of a row to insert is taken.
	ErrExists = errors.New("jobs engine: already exists")
	// ErrFenced: the lease that a transaction needs has passed to another holder; nothing was changed.
	ErrFenced = errors.New("jobs engine: lease lost")
	// ErrMissed: the feed no longer has the entries after the cursor; the caller must read everything again.
	ErrMissed = errors.New("jobs engine: feed pruned")
	// ErrUnknown: the outcome of a commit could not be determined in time.
	ErrUnknown = errors.New("jobs engine: outcome unknown")
	// ErrUnavailable: the database cannot be reached, or accepts no changes (its disk is full). The change was not made.
	ErrUnavailable = errors.New("jobs engine: unavailable")
	// ErrFull: a row number has reached its limit.
	ErrFull = errors.New("jobs engine: full")

	// ErrClosed: the engine was closed.
	ErrClosed = errors.New("jobs: store is closed")
	// ErrInUse: the engine allows one handle at a time, and another is open.
	ErrInUse = errors.New("jobs: store is in use")
	// ErrNewer: a newer version of the program wrote the store.
	ErrNewer = errors.New("jobs: store was written by a newer version")
)
