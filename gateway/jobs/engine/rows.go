package engine

import "sync/atomic"

// Thing is a registered device. A row stays as long as executions or targets name it, marked Deleted.
type Thing struct {
	ID           int64 // given by the engine, never used again
	Name         string
	UUID         string
	TypeName     string
	BillingGroup string
	Attributes   string // a JSON object of strings; "" = none
	Version      int64
	Created      int64
	Deleted      bool
}

// GroupState says what has become of a group.
type GroupState uint8

// States of a group. The numbers are stored; do not renumber. Only a live group has a name that counts.
const (
	GroupLive   GroupState = iota
	GroupEnding            // deleted; its memberships are being ended
	GroupEnded             // deleted and empty; targets still name it
)

// Group is a thing group.
type Group struct {
	ID          int64 // given by the engine, never used again; a parent's is lower than its children's
	Name        string
	UUID        string
	Parent      int64 // 0 = at the root
	Description string
	Attributes  string
	Version     int64
	Created     int64
	State       GroupState

	Above []Ancestor // its ancestors, the parent first; set by reading
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

// Membership is a group that a thing was put into.
type Membership struct {
	Thing int64
	Group int64
	State GroupState
	Above []int64 // the group's ancestors
}

// Job is a job's row. A *Job that was read is shared and immutable; who changes one makes another.
type Job struct {
	Seq       int64 // given by the engine in the order of creation, never used again
	ID        string
	Version   int64
	Status    uint8
	Selection uint8
	Sweep     uint8
	Namespace string
	Active    bool // it has work before it: JobQuery.Active
	Created   int64
	Ended     int64  // when it was completed or canceled; 0 = it was not
	Serial    int64  // memberships up to this serial were there before the job; given by the engine
	Record    string // everything, JSON; the engine does not look into it

	decoded atomic.Value
}

// Decoded returns what decode makes of the row; decode runs once a row, or a few times at once.
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

// Target is what a job is for: a group's members and those of its descendants, or a thing.
type Target struct {
	Group bool
	ID    int64
}

// Statuses is how many states an execution may have; those from FirstEnded on are final.
const (
	Statuses   = 8
	FirstEnded = 2
)

// Counts are numbers of executions by status.
type Counts [Statuses]int64

// Progress is what has been done for a job.
type Progress struct {
	Counts   Counts // kept by the engine; PutProgress leaves them
	Notified int64
	Chunks   int64
	Started  bool
	Done     bool
	Swept    bool
	Pace     int64

	Target     int   // where the rollout is: a target,
	AtGroup    int64 // a group of its family,
	AtThing    int64 // and the last member it has passed
	SweepThing int64 // the last thing that the sweep has passed
}

// State is a job with what has been done for it.
type State struct {
	Job      *Job
	Progress Progress
	Targets  []Target // only where a method says so; in the order of the job's
}

// Execution is a row of an execution, or of an attempt that another superseded.
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

	// Reason is why it ended. It is written to the line of ended executions; reading may leave it out, and who writes a row again
	// that was read writes no further line.
	Reason string

	Name string // the thing's; only where a method says so, and never written
	Of   *Job   // likewise
}

// Timer returns when the execution's timer runs out; 0 = it has none, as one that has ended.
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

// Change puts New in the place of a thing's latest execution of a job. It applies only if that is the one expected.
type Change struct {
	Key
	// Number and Version of the row that must be there, and the Status it had with them. Number 0: there must be none.
	Number, Version int64
	Status          uint8
	// JobVersion, if not 0, is the version that the job's row must still have.
	JobVersion int64

	New Execution // Job and Thing are the Key's
	// Past, if not nil, is kept as an attempt; New has a higher number then. It is the row that was there, or what became of it
	// in the same step.
	Past  *Execution
	Entry []byte // payload for the feed, if the change applies; nil: none. It is in the job's order

	Applied bool       // set by the engine
	Found   *Execution // set by Tx.Apply if Number is 0 and there is a row
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

// Value is an opaque value under a key. Spaces are the caller's: templates, tags, documents, secrets, signatures.
type Value struct {
	Space string
	Key   string
	Value []byte
}
