package jobs

import (
	"errors"
	"fmt"

	"jobgate/gateway/jobs/engine"
)

// Kinds of failure. Compare with errors.Is; the edge maps each to AWS's exception of its plane (AWS.md §4, §5).
var (
	ErrInvalidRequest         = errors.New("jobs: invalid request")
	ErrNotFound               = errors.New("jobs: not found")
	ErrAlreadyExists          = errors.New("jobs: already exists")
	ErrInvalidStateTransition = errors.New("jobs: invalid state transition")
	ErrVersionConflict        = errors.New("jobs: version conflict")
	ErrTerminalState          = errors.New("jobs: terminal state")
	ErrLimitExceeded          = errors.New("jobs: limit exceeded")
	ErrConflict               = errors.New("jobs: conflict")

	// ErrUnavailable means that the current configuration does not permit a job's document, or that the store cannot accept
	// changes because its disk is full; the edge answers 503.
	ErrUnavailable = errors.New("jobs: unavailable")
	// ErrClosed is returned by a store that was closed; the edge answers 503.
	ErrClosed = engine.ErrClosed
	// ErrStoreInUse is returned by an engine that allows one handle at a time.
	ErrStoreInUse = engine.ErrInUse
	// ErrFeedMissed is returned by Store.Feed if notices after the cursor were pruned.
	ErrFeedMissed = engine.ErrMissed
	// ErrStoreNewer is returned on opening a store that a newer version wrote.
	ErrStoreNewer = engine.ErrNewer
)

// Error is a failure with a message for the client. It is one of the kinds above (errors.Is), and has the data of AWS's
// exceptions: the resource that already exists, or the execution's state.
type Error struct {
	Kind    error  // one of the sentinels of this package
	Message string // for the client; holds no secret and no path of the machine

	ResourceARN string // ErrAlreadyExists: the existing resource
	ResourceID  string
	Execution   *Execution // ErrInvalidStateTransition, ErrVersionConflict, ErrTerminalState: the current state
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Errorf returns an *Error of a kind with a formatted message for the client.
func Errorf(kind error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
