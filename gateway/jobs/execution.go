package jobs

import (
	"encoding/json"
	"strings"
	"time"
)

// Status is the state of a job execution (AWS.md §6).
type Status uint8

// Execution states. The numbers are stored; do not renumber.
const (
	Queued Status = iota
	InProgress
	Succeeded
	Failed
	TimedOut
	Rejected
	Removed
	Canceled

	Statuses = 8 // how many there are
)

var statusNames = [Statuses]string{
	"QUEUED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "TIMED_OUT", "REJECTED", "REMOVED", "CANCELED",
}

// String returns AWS's name.
func (s Status) String() string {
	if s < Statuses {
		return statusNames[s]
	}
	return ""
}

// ParseStatus returns the state that AWS calls name.
func ParseStatus(name string) (Status, bool) {
	for i, n := range statusNames {
		if n == name {
			return Status(i), true
		}
	}
	return 0, false
}

// Terminal reports whether the state is final.
func (s Status) Terminal() bool { return s > InProgress }

// Executed reports whether the execution was ended by its device, or timed out.
func (s Status) Executed() bool {
	return s == Succeeded || s == Failed || s == TimedOut || s == Rejected
}

// Counts are numbers of executions by status.
type Counts [Statuses]int64

// Pending returns how many have not ended.
func (c *Counts) Pending() int64 { return c[Queued] + c[InProgress] }

// Executed returns how many were ended by their devices, or timed out.
func (c *Counts) Executed() int64 { return c[Succeeded] + c[Failed] + c[TimedOut] + c[Rejected] }

// Total returns their sum.
func (c *Counts) Total() int64 {
	var n int64
	for _, v := range c {
		n += v
	}
	return n
}

// ByName returns the counts that are not 0, by AWS's names of the states.
func (c *Counts) ByName() map[string]int64 {
	m := make(map[string]int64, Statuses)
	for s, n := range c {
		if n != 0 {
			m[Status(s).String()] = n
		}
	}
	return m
}

// StatusDetails are the name/value pairs a device reports, as one JSON object of strings with sorted names; "" is none.
// It is immutable and may be written to an answer unchanged.
type StatusDetails string

// NewStatusDetails returns the pairs of m.
func NewStatusDetails(m map[string]string) StatusDetails {
	if len(m) == 0 {
		return ""
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil { // strings always encode
		return ""
	}
	return StatusDetails(strings.TrimSuffix(b.String(), "\n"))
}

// Map returns the pairs; nil when there are none.
func (d StatusDetails) Map() map[string]string {
	if d == "" {
		return nil
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(d), &m); err != nil {
		return nil
	}
	return m
}

// LastDetails returns the details of an execution that has ended, the only one for which AWS's events have them.
func (e *Execution) LastDetails() StatusDetails {
	if !e.Status.Terminal() {
		return ""
	}
	return e.Details
}

// reasonKey is the detail that holds a device's reason for the outcome; maxReason bounds what is kept of it.
const (
	reasonKey = "reason"
	maxReason = 256
)

// Reason returns the first 256 bytes of the detail "reason", in which the device says why the execution ended; "" if
// there is none.
func (e *Execution) Reason() string {
	if !strings.Contains(string(e.Details), `"`+reasonKey+`"`) { // Fast path: most have none
		return ""
	}
	reason := e.Details.Map()[reasonKey]
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	return reason
}

// Execution is one attempt of a job on a thing, as of when it was read. It is a plain value.
type Execution struct {
	Thing    string
	ThingRow int64 // the store's number of the thing; never reused
	Job      *Job  // shared and immutable

	Number  int64 // counts the attempts on this thing from 1
	Version int64 // grows by one on every change, begins at 1
	Status  Status
	Forced  bool // canceled by force

	Retry         int // retries before this attempt; joining a group again resets it
	RetryTimedOut int // those of them that followed a time-out

	Details   StatusDetails
	QueuedAt  time.Time
	StartedAt time.Time // zero if it has not started
	UpdatedAt time.Time

	Deadline     time.Time // in-progress timer; zero = none
	StepDeadline time.Time // step timer; zero = none
}

// Due returns when the execution times out; false if no timer runs.
func (e *Execution) Due() (time.Time, bool) {
	if e.Status != InProgress {
		return time.Time{}, false
	}
	switch {
	case e.Deadline.IsZero():
		return e.StepDeadline, !e.StepDeadline.IsZero()
	case e.StepDeadline.IsZero() || e.Deadline.Before(e.StepDeadline):
		return e.Deadline, true
	}
	return e.StepDeadline, true
}

// SecondsLeft returns approximateSecondsBeforeTimedOut, never negative; false if no timer runs.
func (e *Execution) SecondsLeft(now time.Time) (int64, bool) {
	due, ok := e.Due()
	if !ok {
		return 0, false
	}
	return max(0, int64(due.Sub(now)/time.Second)), true
}

// Visible reports whether the execution is offered to its device as pending: always if it is in progress; if it is queued,
// only while its job is open. Those of a SCHEDULED job wait for its start or its maintenance window.
func (e *Execution) Visible() bool {
	switch e.Status {
	case InProgress:
		return e.Job.Status != JobDeleting && e.Job.Sweep != SweepCancelAll
	case Queued:
		return e.Job.Status == JobInProgress && e.Job.Sweep == SweepNone
	}
	return false
}

// Before orders a thing's pending executions: those that run first, then by the time they were queued (AWS.md §4,
// "$next order"), then by the time their jobs were created.
func (e *Execution) Before(o *Execution) bool {
	if e.Status != o.Status {
		return e.Status == InProgress
	}
	if !e.QueuedAt.Equal(o.QueuedAt) {
		return e.QueuedAt.Before(o.QueuedAt)
	}
	if !e.Job.CreatedAt.Equal(o.Job.CreatedAt) {
		return e.Job.CreatedAt.Before(o.Job.CreatedAt)
	}
	return e.Job.ID < o.Job.ID
}
