package jobs

import (
	"context"
	"time"

	"jobgate/gateway/jobs/engine"
)

// Store keeps jobs, executions, things and groups. Package rules implements it over an engine; together they must pass the
// suite of gateway/jobs/storetest.
//
// All methods are safe for concurrent use. A method that changes something returns once the change is on disk and visible
// to every later call. The clock is an argument. Names that do not exist give ErrNotFound, names that already exist
// ErrAlreadyExists. If ctx is canceled, a change is either complete or not made.
//
// Several gateways may share one store if the engine allows it. A change of an execution or a job is a compare-and-swap on
// its version. A chunk of work (QueueChunk, SweepJob, SweepGroups) reads and writes its checkpoint in the same transaction,
// so that the same chunk on two gateways is done once.
type Store interface {
	ThingStore
	JobStore
	ExecutionStore
	FailureStore
	SampleStore
	RetryStore
	LabelStore
	SecretStore

	// Shared reports whether other processes may change the store.
	Shared() bool
	// Lead reports whether this handle should do the background work, and when to call Lead again. It holds a lease, which
	// passes to another handle within leaseTime of the holder's last call. A store that is not shared has one handle,
	// which leads.
	Lead(ctx context.Context) (leads bool, again time.Duration, err error)
	// Resign lets another handle lead at once.
	Resign(ctx context.Context) error
	// Feed returns up to limit notices of changes after a cursor ("" = from now on), by any handle, and the next cursor. It
	// waits up to wait for the first. Notices of one job are in order. It returns ErrFeedMissed if the cursor's position
	// was pruned. A store that is not shared has no notices.
	Feed(ctx context.Context, after string, limit int, wait time.Duration) (notices []Notice, next string, err error)
	// PruneFeed drops notices that are older than age.
	PruneFeed(ctx context.Context, age time.Duration) error

	// Close closes the store after the changes in progress; later calls return ErrClosed.
	Close() error
}

// Page bounds a listing: at most Limit entries (at least 1) after the cursor that the previous page returned. A cursor is
// valid for any handle of the store, in any process.
type Page struct {
	After string // "" = from the beginning
	Limit int
}

// ThingStore is the registry that jobs target.
type ThingStore interface {
	// CreateThings adds all of them or none. ErrAlreadyExists names the first that exists.
	CreateThings(ctx context.Context, things []Thing) error
	Thing(ctx context.Context, name string) (Thing, error)
	// Things lists by name.
	Things(ctx context.Context, q ThingQuery, p Page) (things []Thing, next string, err error)
	// DeleteThing removes a thing from its groups and marks its pending executions REMOVED. version 0 matches any, and
	// NoVersion none; a mismatch is ErrVersionConflict. It returns the executions that ended.
	DeleteThing(ctx context.Context, name string, version int64, now time.Time) ([]Execution, error)

	// UpdateThing applies change, which may run several times, to a thing and increments its version. version is as for
	// DeleteThing.
	UpdateThing(ctx context.Context, name string, version int64, change func(*Thing)) error

	// CreateGroup adds a group under g.Parent, with its tags. ErrInvalidRequest if it is deeper than MaxGroupDepth, the
	// parent has MaxChildGroups already, or the parent does not exist.
	CreateGroup(ctx context.Context, g Group, tags []Tag) error
	Group(ctx context.Context, name string) (Group, error)
	// Groups lists by name.
	Groups(ctx context.Context, q GroupQuery, p Page) (groups []Group, next string, err error)
	// UpdateGroup is UpdateThing for a group's description and attributes. It returns the new version.
	UpdateGroup(ctx context.Context, name string, version int64, change func(*Group)) (int64, error)
	// DeleteGroup hides the group at once; its memberships end in chunks by SweepGroups. ErrInvalidRequest while it
	// has children.
	DeleteGroup(ctx context.Context, name string, version int64, now time.Time) error
	// SweepGroups ends up to limit memberships of deleted groups. more says that there are more.
	SweepGroups(ctx context.Context, limit int, now time.Time) (removed []Execution, more bool, err error)

	// ChangeMembers adds things to groups and removes them, all or none. For each continuous job whose rollout has begun: a
	// thing that becomes a target gets a new execution, unless one is pending; so does a thing without an execution that
	// moves between targets of an unfinished rollout; the pending execution of a thing that is no longer a target is
	// REMOVED, also for a snapshot job. A thing that leaves before a snapshot job's rollout reaches it does not get the job.
	ChangeMembers(ctx context.Context, c MemberChange) (MemberResult, error)
	// Members lists the things of a group in a stable order; recursive includes those of its descendants.
	Members(ctx context.Context, group string, recursive bool, p Page) (things []string, next string, err error)
	// GroupsOf lists the groups a thing was added to, by name.
	GroupsOf(ctx context.Context, thing string, p Page) (groups []Group, next string, err error)
}

// ThingQuery filters Things; zero members match all.
type ThingQuery = engine.ThingQuery

// GroupQuery filters Groups; zero members match all.
type GroupQuery struct {
	Parent    string
	Recursive bool // all descendants of Parent, else its children; without Parent, all groups, else those at the root
	Prefix    string
}

// MemberChange is a change of memberships: every thing joins every group of Add and leaves every group of Remove.
type MemberChange struct {
	Things []string
	Add    []string
	Remove []string
	Now    time.Time

	// Bounded applies AWS's limits, with ErrInvalidRequest: no thing in two groups of one hierarchy, or in more than
	// MaxGroupsOfThing. Existing memberships stay.
	Bounded bool
}

// MemberResult is the effect of a membership change on jobs.
type MemberResult struct {
	Queued  []Execution
	Removed []Execution
}

// JobStore keeps jobs and their progress.
type JobStore interface {
	// CreateJob adds a job (Version 1) with its document and tags, and returns it as stored. Targets that do not exist
	// give ErrNotFound.
	CreateJob(ctx context.Context, n NewJob) (*Job, error)
	Job(ctx context.Context, id string) (*Job, error)
	JobDocument(ctx context.Context, id string) (string, error)
	// Jobs lists the newest first.
	Jobs(ctx context.Context, q JobQuery, p Page) (jobs []ListedJob, next string, err error)
	// ActiveJobs returns the jobs with work to do, not terminal or with a pending sweep, in order of creation.
	ActiveJobs(ctx context.Context) ([]*Job, error)
	// SwapJob replaces the record with version next.Version-1 and next's creation time; ErrVersionConflict if there is
	// none. Targets may only be appended; the rollout continues with them. A change of Sweep restarts the sweep.
	SwapJob(ctx context.Context, next Job) (*Job, error)
	Progress(ctx context.Context, id string) (Progress, error)
	// State returns Job and Progress, read in one transaction.
	State(ctx context.Context, id string) (*Job, Progress, error)
	// Retried counts a job's earlier attempts, which its counts omit.
	Retried(ctx context.Context, j *Job) (Retried, error)
	// Totals returns the counts over all jobs.
	Totals(ctx context.Context) (Counts, error)

	// QueueChunk queues the executions of the next things of a job's rollout, and saves its progress. The chunk that queues
	// the last thing also reports the rollout as done, because with a slow rate the next chunk would be much later.
	QueueChunk(ctx context.Context, c QueueChunk) (QueueResult, error)
	// SweepJob does a chunk of the job's Sweep, and saves its progress.
	SweepJob(ctx context.Context, c SweepChunk) (SweepResult, error)
	// RemoveJob deletes a job, with its document and tags; ErrInvalidStateTransition unless it is being deleted and has no
	// executions left.
	RemoveJob(ctx context.Context, id string) error
}

// ListedJob is a job in a listing.
type ListedJob struct {
	Job      *Job
	Progress Progress
	GroupID  string // of the first group that it targets; "" if there is none
}

// NewJob is what CreateJob stores.
type NewJob struct {
	Job      Job
	Document string
	Tags     []Tag
}

// JobQuery filters Jobs; zero members match all.
type JobQuery struct {
	Status      JobStatus
	Selection   Selection
	GroupName   string // a target group
	GroupID     string
	NamespaceID string
	EndedBefore time.Time // completed or canceled before it
}

// QueueChunk asks for up to Limit further executions.
type QueueChunk struct {
	JobID string
	After int64 // Progress.Chunks as the caller read it; ErrVersionConflict if it has changed
	Limit int
	Now   time.Time
	Names bool // return the things

	// Progress.Pace becomes Pace plus Each for every execution queued.
	Pace time.Time
	Each time.Duration
}

// QueueResult is the result of a QueueChunk.
type QueueResult struct {
	Queued   int
	Things   []string // in the order queued; only if requested
	Progress Progress // the new state
}

// SweepChunk asks for up to Limit executions to be swept.
type SweepChunk struct {
	JobID string
	Limit int
	Now   time.Time
	Names bool // return the executions
}

// SweepResult is the result of a SweepChunk.
type SweepResult struct {
	Swept      int
	Executions []Execution // their new state; only if requested
	Done       bool        // the sweep has passed every execution
}

// ExecutionStore keeps executions. An execution superseded by a retry, or by joining a group again, is kept as an attempt:
// it can be read by its number and is listed by OfThing, but is not counted.
type ExecutionStore interface {
	// Pending appends a thing's executions that have not ended to dst, in the order of Execution.Before, also if their jobs
	// are not open. dst's array is reused; the executions are copies. This is the hot path.
	Pending(ctx context.Context, dst []Execution, thing string) ([]Execution, error)
	// Execution returns one; number 0 is the latest. ErrNotFound if the thing, the job or the execution is missing.
	Execution(ctx context.Context, thing, jobID string, number int64) (Execution, error)
	// OfJob lists a job's latest executions in a stable order.
	OfJob(ctx context.Context, jobID string, q ExecutionQuery, p Page) (executions []Execution, next string, err error)
	// OfThing lists a thing's executions, attempts too, the newest job first.
	OfThing(ctx context.Context, thing string, q ExecutionQuery, p Page) (executions []Execution, next string, err error)
	// Swap replaces executions independently of each other and sets Swap.Applied on those replaced.
	Swap(ctx context.Context, swaps []Swap) error
	// DeleteExecution removes one attempt. The attempt before it, if there is one, becomes the latest.
	DeleteExecution(ctx context.Context, e Execution) error
	// Due returns up to limit executions whose timers have expired by now, the earliest first, and when to call it again
	// (zero: after another timer is set). The caller ends them by Swap; those not ended are returned again, at once or some
	// seconds later.
	Due(ctx context.Context, now time.Time, limit int) (due []Execution, next time.Time, err error)
}

// ExecutionQuery filters executions; zero members match all.
type ExecutionQuery struct {
	Status      Status
	ByStatus    bool // Status is set
	JobID       string
	NamespaceID string
}

// Swap replaces Old by New, the same attempt. It applies only if the stored execution still has Old's number and version.
// It never applies to a new job with a deleted one's ID, because their creation times differ.
type Swap struct {
	Old, New Execution
	// Next, if not nil, is another attempt, with New.Number+1 and in state QUEUED, that supersedes New in the same step.
	// Such a swap does not apply if the job has changed since it was read, because it may no longer allow retries.
	Next    *Execution
	Applied bool // set by the store
}

// LabelStore keeps job templates and tags.
type LabelStore interface {
	CreateTemplate(ctx context.Context, t JobTemplate, tags []Tag) error
	Template(ctx context.Context, id string) (JobTemplate, error)
	// Templates lists by id.
	Templates(ctx context.Context, p Page) (templates []JobTemplate, next string, err error)
	DeleteTemplate(ctx context.Context, id string) error

	// SetTags adds or replaces tags of an existing resource; ErrLimitExceeded beyond MaxTags. Tags are deleted with their
	// resource.
	SetTags(ctx context.Context, r Resource, tags []Tag) error
	RemoveTags(ctx context.Context, r Resource, keys []string) error
	// Tags lists a resource's tags by key.
	Tags(ctx context.Context, r Resource) ([]Tag, error)
}

// SecretStore keeps the secrets that the gateways of a store share.
type SecretStore interface {
	// Secret returns the secret of a name, SecretSize random bytes. The first call creates it; it is the same for every
	// handle.
	Secret(ctx context.Context, name string) ([]byte, error)
}

// SecretSize is the length of a secret, in bytes.
const SecretSize = 32

// Resource is something that may have tags.
type Resource struct {
	Kind ResourceKind
	Name string
}

// ResourceKind is a kind of resource, spelled as in an ARN.
type ResourceKind string

// The kinds that ARNs name.
const (
	KindThing    ResourceKind = "thing"
	KindGroup    ResourceKind = "thinggroup"
	KindJob      ResourceKind = "job"
	KindTemplate ResourceKind = "jobtemplate"
)

// MaxTags is how many tags a resource may have.
const MaxTags = 50

// Stored returns t with the precision of stores: milliseconds, UTC.
func Stored(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
