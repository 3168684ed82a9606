package jobs

import (
	"context"
	"time"
)

// Store keeps jobs, executions, things and groups. Package rules implements it over an engine; the two must pass the
// suite of gateway/jobs/storetest.
//
// All methods are safe for concurrent use. A method that changes something returns once the change is on disk, and what
// it changed is seen by every call that begins after that. The clock is an argument. Names that do not exist give
// ErrNotFound, names that exist already ErrAlreadyExists; a canceled ctx may leave a change undone or done, never half.
//
// Several gateways may share one store, where an engine allows it: a change of an execution or a job is a
// compare-and-swap on its version, and a chunk of work (QueueChunk, SweepJob, SweepGroups) reads and writes its
// checkpoint in the transaction that does the work, so that two gateways at the same chunk do it once.
type Store interface {
	ThingStore
	JobStore
	ExecutionStore
	FailureStore
	SampleStore
	RetryStore
	LabelStore
	SecretStore

	// Shared says whether other processes may change the store.
	Shared() bool
	// Lead says whether this handle is to do the background work, and when to ask again: it goes by a lease, which passes
	// to another within leaseTime of its holder's last call. A store that is not shared has one handle, which leads.
	Lead(ctx context.Context) (leads bool, again time.Duration, err error)
	// Resign lets another handle lead at once.
	Resign(ctx context.Context) error
	// Feed returns up to limit notices of what was changed after a cursor ("" = what is to come), by any handle, and the
	// cursor behind them. It waits up to wait for the first. Those of one job come in the order in which they were made.
	// ErrFeedMissed if the cursor's place was pruned. A store that is not shared has none.
	Feed(ctx context.Context, after string, limit int, wait time.Duration) (notices []Notice, next string, err error)
	// PruneFeed drops notices that are older than age.
	PruneFeed(ctx context.Context, age time.Duration) error

	// Close ends the store after the changes under way; calls that follow return ErrClosed.
	Close() error
}

// Page bounds a listing: at most Limit entries (at least 1) after the cursor that the previous page returned. A cursor is
// the store's, not the handle's: any handle, of any process, goes on from it.
type Page struct {
	After string // "" = from the beginning
	Limit int
}

// ThingStore is the registry that jobs target.
type ThingStore interface {
	// CreateThings adds all of them or none. ErrAlreadyExists names the first that is there.
	CreateThings(ctx context.Context, things []Thing) error
	Thing(ctx context.Context, name string) (Thing, error)
	// Things lists by name.
	Things(ctx context.Context, q ThingQuery, p Page) (things []Thing, next string, err error)
	// DeleteThing removes a thing from its groups and marks its pending executions REMOVED. version 0 matches any
	// and NoVersion none, else ErrVersionConflict. It returns the executions that ended.
	DeleteThing(ctx context.Context, name string, version int64, now time.Time) ([]Execution, error)

	// UpdateThing changes a thing by change, which may run several times, and counts its version up. version is as for
	// DeleteThing.
	UpdateThing(ctx context.Context, name string, version int64, change func(*Thing)) error

	// CreateGroup adds a group under g.Parent, with its tags. ErrInvalidRequest if that makes it deeper than
	// MaxGroupDepth or gives the parent more than MaxChildGroups, or the parent does not exist.
	CreateGroup(ctx context.Context, g Group, tags []Tag) error
	Group(ctx context.Context, name string) (Group, error)
	// Groups lists by name.
	Groups(ctx context.Context, q GroupQuery, p Page) (groups []Group, next string, err error)
	// UpdateGroup is UpdateThing for a group's description and attributes. It returns the new version.
	UpdateGroup(ctx context.Context, name string, version int64, change func(*Group)) (int64, error)
	// DeleteGroup hides the group at once; its memberships end in chunks by SweepGroups. ErrInvalidRequest while it
	// has children.
	DeleteGroup(ctx context.Context, name string, version int64, now time.Time) error
	// SweepGroups ends up to limit memberships of deleted groups. more says that there is more to do.
	SweepGroups(ctx context.Context, limit int, now time.Time) (removed []Execution, more bool, err error)

	// ChangeMembers moves things in and out of groups, all of them or none. For each continuous job whose rollout has
	// begun: a thing that was not a target and is one now gets a new execution, unless one is pending; so does one that
	// moves among the targets of a rollout that is not done, if it has none yet; a thing that was a target and is none
	// any more has its pending execution REMOVED, of a snapshot job too. A thing that leaves before a snapshot job's rollout has come to it
	// does not get the job.
	ChangeMembers(ctx context.Context, c MemberChange) (MemberResult, error)
	// Members lists the things of a group in a stable order; recursive includes those of its descendants.
	Members(ctx context.Context, group string, recursive bool, p Page) (things []string, next string, err error)
	// GroupsOf lists the groups a thing was put into, by name.
	GroupsOf(ctx context.Context, thing string, p Page) (groups []Group, next string, err error)
}

// ThingQuery filters Things; zero members match all.
type ThingQuery struct {
	TypeName        string
	AttributeName   string
	AttributeValue  string // "" = any, as long as the attribute is there, unless ByValue
	AttributePrefix bool   // AttributeValue is a prefix
	ByValue         bool   // AttributeValue is set, though it is ""
}

// GroupQuery filters Groups; zero members match all.
type GroupQuery struct {
	Parent    string
	Recursive bool // all descendants of Parent, else its children; without Parent, all groups, else those at the root
	Prefix    string
}

// MemberChange says what joins and leaves; every thing joins every group of Add and leaves every group of Remove.
type MemberChange struct {
	Things []string
	Add    []string
	Remove []string
	Now    time.Time

	// Bounded refuses, with ErrInvalidRequest, what AWS refuses: a thing in two groups of one hierarchy, or in more than
	// MaxGroupsOfThing. What things are in already stays.
	Bounded bool
}

// MemberResult says what a change of membership did to jobs.
type MemberResult struct {
	Queued  []Execution
	Removed []Execution
}

// JobStore keeps jobs and what has been done for them.
type JobStore interface {
	// CreateJob adds a job (Version 1) with its document and tags, and returns it as stored. Targets that do not exist
	// give ErrNotFound.
	CreateJob(ctx context.Context, n NewJob) (*Job, error)
	Job(ctx context.Context, id string) (*Job, error)
	JobDocument(ctx context.Context, id string) (string, error)
	// Jobs lists the newest first.
	Jobs(ctx context.Context, q JobQuery, p Page) (jobs []ListedJob, next string, err error)
	// ActiveJobs returns the jobs with work before them: not terminal, or with a sweep outstanding. Order is by creation.
	ActiveJobs(ctx context.Context) ([]*Job, error)
	// SwapJob replaces the record whose version is next.Version-1 and that was created when next was; ErrVersionConflict
	// if there is another. Targets may only grow at the end, which lets the rollout go on to them. A change of Sweep
	// begins the sweep from the start.
	SwapJob(ctx context.Context, next Job) (*Job, error)
	Progress(ctx context.Context, id string) (Progress, error)
	// State is Job and Progress, as they are at one time.
	State(ctx context.Context, id string) (*Job, Progress, error)
	// Retried returns what a job's retries hide from its counts.
	Retried(ctx context.Context, j *Job) (Retried, error)
	// Totals returns the counts over all jobs.
	Totals(ctx context.Context) (Counts, error)

	// QueueChunk queues the executions of the next things of a job's rollout, and saves how far it came. The chunk that
	// queues the last member of the last target says that the rollout is done: with a slow rate, the next is far away.
	QueueChunk(ctx context.Context, c QueueChunk) (QueueResult, error)
	// SweepJob does a chunk of the job's Sweep, and saves how far it came.
	SweepJob(ctx context.Context, c SweepChunk) (SweepResult, error)
	// RemoveJob deletes a job whose executions are all gone, with its document and tags; ErrInvalidStateTransition
	// unless it is being deleted and none is left.
	RemoveJob(ctx context.Context, id string) error
}

// ListedJob is a job in a listing.
type ListedJob struct {
	Job      *Job
	Progress Progress
	GroupID  string // of the first group that it targets; "" if there is none any more
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
	After int64 // Progress.Chunks as the caller read it; another value there gives ErrVersionConflict
	Limit int
	Now   time.Time
	Names bool // return the things

	// Progress.Pace becomes Pace plus Each for every execution queued.
	Pace time.Time
	Each time.Duration
}

// QueueResult says what a QueueChunk did.
type QueueResult struct {
	Queued   int
	Things   []string // in the order queued; only if asked for
	Progress Progress // as it is now
}

// SweepChunk asks for up to Limit executions to be swept.
type SweepChunk struct {
	JobID string
	Limit int
	Now   time.Time
	Names bool // return the executions
}

// SweepResult says what a SweepChunk did.
type SweepResult struct {
	Swept      int
	Executions []Execution // as they are now; only if asked for
	Done       bool        // the sweep has passed every execution
}

// ExecutionStore keeps executions. An execution that was superseded by a retry, or by joining a group again, is kept as
// an attempt: it is found by its number and shows in OfThing, but is not counted.
type ExecutionStore interface {
	// Pending appends a thing's executions that have not ended to dst, in the order of Execution.Before, whether their
	// jobs are open or not. dst's array is reused; the executions are copies. This is the hot path.
	Pending(ctx context.Context, dst []Execution, thing string) ([]Execution, error)
	// Execution returns one; number 0 is the latest. ErrNotFound if the thing, the job or the execution is missing.
	Execution(ctx context.Context, thing, jobID string, number int64) (Execution, error)
	// OfJob lists a job's latest executions in a stable order.
	OfJob(ctx context.Context, jobID string, q ExecutionQuery, p Page) (executions []Execution, next string, err error)
	// OfThing lists a thing's executions, attempts too, the newest job first.
	OfThing(ctx context.Context, thing string, q ExecutionQuery, p Page) (executions []Execution, next string, err error)
	// Swap replaces executions, each on its own; Swap.Applied says which were.
	Swap(ctx context.Context, swaps []Swap) error
	// DeleteExecution removes one attempt. The attempt before it, if there is one, becomes the latest.
	DeleteExecution(ctx context.Context, e Execution) error
	// Due returns up to limit executions whose timers have run out at now, those first that ran out first, and when it
	// is worth asking again (zero: not until another timer is set). Who takes them ends them by Swap; one that is not
	// ended is returned again, at once or some seconds later.
	Due(ctx context.Context, now time.Time, limit int) (due []Execution, next time.Time, err error)
}

// ExecutionQuery filters executions; zero members match all.
type ExecutionQuery struct {
	Status      Status
	ByStatus    bool // Status is set
	JobID       string
	NamespaceID string
}

// Swap replaces Old by New, which is the same attempt. It applies only if the stored execution still has Old's number and
// version. It never applies to another job that has taken the ID of a deleted one: the two were created at different times.
type Swap struct {
	Old, New Execution
	// Next, if not nil, is a further attempt, with New.Number+1 and in state QUEUED, that supersedes New in the same
	// step. Such a swap does not apply if the job has changed since it was read: it may no longer Retry.
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

	// SetTags adds or replaces tags of a resource that is there; ErrLimitExceeded beyond MaxTags. Tags go when their
	// resource does.
	SetTags(ctx context.Context, r Resource, tags []Tag) error
	RemoveTags(ctx context.Context, r Resource, keys []string) error
	// Tags lists a resource's tags by key.
	Tags(ctx context.Context, r Resource) ([]Tag, error)
}

// SecretStore keeps what the gateways of a store share and nobody else knows.
type SecretStore interface {
	// Secret returns the secret of a name, SecretSize random bytes. The first who asks for it makes it; from then on it is
	// the same for every handle.
	Secret(ctx context.Context, name string) ([]byte, error)
}

// SecretSize is the length of a secret, in bytes.
const SecretSize = 32

// Resource is something that may have tags.
type Resource struct {
	Kind ResourceKind
	Name string
}

// ResourceKind is a kind of resource as it stands in an ARN.
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

// Stored returns t as stores keep it: milliseconds, UTC.
func Stored(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
