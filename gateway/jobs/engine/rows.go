package engine

import "sync/atomic"

// Thing is a registered device. While executions or targets refer to a deleted thing, its row stays, marked Deleted.
type Thing struct {
	ID           int64 // assigned by the engine, never reused
	Name         string
	UUID         string
	TypeName     string
	BillingGroup string
	Attributes   string // a JSON object of strings; "" = none
	Version      int64
	Created      int64
	Deleted      bool
}

// GroupState is the state of a group.
type GroupState uint8

// States of a group. The numbers are stored; do not renumber. Only live groups can be found by name.
const (
	GroupLive   GroupState = iota
	GroupEnding            // deleted; its memberships are being ended
	GroupEnded             // deleted and empty; targets still refer to it
)

// Group is a thing group.
type Group struct {
	ID          int64 // assigned by the engine, never reused; a parent's is lower than its children's
	Name        string
	UUID        string
	Parent      int64 // 0 = at the root
	Description string
	Attributes  string
	Version     int64
	Created     int64
	State       GroupState

	Above []Ancestor // its ancestors, the parent first; set when read
}

// Ancestor is a group above another.
type Ancestor struct {
	ID   int64
	Name string
}

// Member is a thing in a group.
type Member struct {
	Group, Thing int64
}

// Membership is a group that a thing was added to.
type Membership struct {
	Thing int64
	Group int64
	State GroupState
	Above []int64 // the group's ancestors
}

// Job is a job's row. A *Job that was read is shared and immutable; to change it, make a copy.
type Job struct {
	Seq       int64 // assigned by the engine in the order of creation, never reused
	ID        string
	Version   int64
	Status    uint8
	Selection uint8
	Sweep     uint8
	Namespace string
	Active    bool // has work to do: JobQuery.Active
	Created   int64
	Ended     int64  // when it was completed or canceled; 0 = it was not
	Serial    int64  // memberships up to this serial are older than the job; assigned by the engine
	Record    string // the whole job as JSON, opaque to the engine

	decoded atomic.Value
}

// Decoded returns decode's result for the row. It caches the result; concurrent first calls may run decode more than once.
func (j *Job) Decoded(decode func(*Job) (any, error)) (any, error) {
	if v := j.decoded.Load(); v != nil {
		return v, nil
	}
	v, err := decode(j)
	if err == nil {
		j.decoded.Store(v)
	}
	return v, err
}

// Target is a target of a job: a group, with its descendants, or a thing.
type Target struct {
	Group bool
	ID    int64
}

// Statuses is the number of execution states; those from FirstEnded on are final.
const (
	Statuses   = 8
	FirstEnded = 2
)

// Counts are numbers of executions by status.
type Counts [Statuses]int64

// Progress is the progress of a job.
type Progress struct {
	Counts   Counts // maintained by the engine; PutProgress does not change them
	Notified int64
	Chunks   int64
	Started  bool
	Done     bool
	Swept    bool
	Pace     int64

	Target     int   // the rollout's position: a target,
	AtGroup    int64 // a group of its family,
	AtThing    int64 // and the last member handled
	SweepThing int64 // the last thing that the sweep has handled
}

// State is a job with its progress.
type State struct {
	Job      *Job
	Progress Progress
	Targets  []Target // in the job's order; set only if a method says so
}

// Execution is a row of an execution, or of a superseded attempt.
type Execution struct {
	Job, Thing    int64
	Number        int64
	Version       int64
	Status        uint8
	Forced        bool
	Retry         int
	RetryTimedOut int

	Queued, Started, Updated int64
	Deadline, Step           int64
	Details                  string

	// Reason is why it ended. It is written to the line of ended executions. Reads may omit it; writing such a row again adds no
	// further line.
	Reason string

	Name string // the thing's; set only if a method says so, and never written
	Of   *Job   // likewise
}

// Timer returns when the execution's timer expires; 0 = it has none, or has ended.
func (e *Execution) Timer() int64 {
	if e.Status >= FirstEnded {
		return 0
	}
	if e.Deadline == 0 || (e.Step != 0 && e.Step < e.Deadline) {
		return e.Step
	}
	return e.Deadline
}

// Key names a thing's latest execution of a job.
type Key struct {
	Job, Thing int64
}

// Change replaces a thing's latest execution of a job by New, if the latest is the expected one.
type Change struct {
	Key
	// Number, Version and Status of the expected row. Number 0: there must be none.
	Number, Version int64
	Status          uint8
	// JobVersion, if not 0, is the version that the job's row must have.
	JobVersion int64

	New Execution // Job and Thing are the Key's
	// Past, if not nil, is kept as an attempt; New has a higher number then. It is the replaced row, possibly updated in the
	// same step.
	Past  *Execution
	Entry []byte // payload for the feed, in the job's order, if the change applies; nil: none

	Applied bool       // set by the engine
	Found   *Execution // set by Tx.Apply if Number is 0 and a row exists
}

// AttemptKey names a superseded attempt; Number 0: all of the key's.
type AttemptKey struct {
	Key
	Number int64
}

// Ended is a line of an execution that has ended.
type Ended struct {
	Thing  int64
	Name   string
	Number int64
	Status uint8
	Reason string
}

// ReasonCount is how many of a job's executions ended with a status and a reason.
type ReasonCount struct {
	Status uint8
	Reason string
	Count  int64
}

// Value is an opaque value with a key. The caller defines spaces: templates, tags, documents, secrets, signatures.
type Value struct {
	Space string
	Key   string
	Value []byte
}
