package engine

import (
	"context"
	"time"
)

// Engine keeps the rows of a jobs store. All methods are safe for concurrent use. A canceled ctx ends a call early: a change
// is then either complete or not made.
type Engine interface {
	// Pending appends a thing's executions that have not ended to dst, with Of, in no order. ErrNotFound if no live thing
	// has the name. It is the hot read: an engine answers it from memory, or batches the calls that arrive while a query
	// runs. A canceled ctx does not affect others in its batch.
	Pending(ctx context.Context, dst []Execution, thing string) ([]Execution, error)
	// Execution returns a thing's latest execution of a job, by their names, with Of and Name; also of a deleted thing.
	// ErrNotFound if there is none, for any reason.
	Execution(ctx context.Context, thing, jobID string) (Execution, error)
	// Apply makes changes independently of each other; Change.Applied says which were made. The error is for those whose
	// Applied is false and whose outcome may be unknown. It is the hot write: one statement for changes that arrive together,
	// keys sorted. A change is not made if its Key's thing or job was deleted.
	Apply(ctx context.Context, changes []Change) error

	// Job returns a job by its name. ErrNotFound.
	Job(ctx context.Context, id string) (State, error)
	// Totals returns the counts of all jobs together. They may be some seconds old on a shared engine.
	Totals(ctx context.Context) (Counts, error)
	// Due returns up to limit executions, with Of and Name, whose timers have expired by now, the earliest first; and when
	// to call it again (0: after another timer is set). The caller ends them by Apply; those not ended are returned again,
	// at once or some seconds later.
	Due(ctx context.Context, now int64, limit int) (due []Execution, next int64, err error)

	// View runs read on a snapshot of the database. read may run several times.
	View(ctx context.Context, read func(Reader) error) error
	// Update runs change in a transaction; see the laws.
	Update(ctx context.Context, w Work, change func(Tx) error) error

	Coordinator

	// Close closes the engine after the calls in progress; later calls return ErrClosed.
	Close() error
}

// Work describes a transaction.
type Work struct {
	Rows  int    // rough number of rows it reads or writes; a large transaction may be kept apart from devices' calls
	Lease *Lease // not nil: it needs this lease, and fails with ErrFenced if another handle has it
}

// Coordinator coordinates the handles of one store. A single-handle engine (Shared is false) holds every lease and has no
// feed.
type Coordinator interface {
	// Shared reports whether other handles may change the store.
	Shared() bool
	// Acquire takes a lease that is free or has expired by the database's clock, or renews it for its holder. held is false
	// if another holder has it; l is that holder's lease then. A new holder gets a higher Term.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (l Lease, held bool, err error)
	// Release releases a lease at once.
	Release(ctx context.Context, l Lease) error
	// Feed returns up to limit entries committed after a cursor ("" = from now on), and the next cursor. It waits up to wait
	// for the first. Entries of one job are in commit order; concurrent commits never make it skip one. ErrMissed if the
	// cursor's position was pruned.
	Feed(ctx context.Context, after string, limit int, wait time.Duration) (entries []Entry, next string, err error)
	// PruneFeed drops entries older than age, by the database's clock.
	PruneFeed(ctx context.Context, age time.Duration) error
}

// Lease is the exclusive right to do some background work until it expires.
type Lease struct {
	Name   string
	Holder string
	Term   int64         // grows each time the holder changes: the fencing token
	Left   time.Duration // remaining time when the database answered; count from before the call
}

// Entry is an entry of the feed.
type Entry struct {
	Job     int64  // entries of one job are ordered; 0 = none
	Origin  string // the writer's handle
	Payload []byte // opaque
}

// Reader reads rows of a snapshot of the database; in a transaction, with its own changes.
type Reader interface {
	ThingReader
	JobReader
	ExecutionReader

	// Values returns the values of the keys that exist.
	Values(space string, keys []string) ([]Value, error)
	// ListValues lists a space by key.
	ListValues(space, after string, limit int) ([]Value, error)
}

// ThingReader reads the registry.
type ThingReader interface {
	// Things returns the rows of the names that exist, including deleted things.
	Things(names []string) ([]Thing, error)
	// ListThings lists live things by name.
	ListThings(q ThingQuery, after string, limit int) ([]Thing, error)

	// Groups returns the live groups of the names that exist, with Above.
	Groups(names []string) ([]Group, error)
	// ListGroups lists groups by name, with Above. It takes one query or two, for any number of rows.
	ListGroups(q GroupQuery, after string, limit int) ([]Group, error)
	// Families returns each group and its live descendants, by ID, in the order of the groups.
	Families(groups []int64) ([][]int64, error)
	// Memberships returns the groups the things were added to, except those GroupEnded.
	Memberships(things []int64) ([]Membership, error)
	// Walk visits up to w.Limit things.
	Walk(w Walk) ([]Visit, error)
}

// JobReader reads jobs.
type JobReader interface {
	// Job returns a job by its name, with Targets. ErrNotFound. In a transaction it also locks the job against other
	// changes until the transaction ends.
	Job(id string) (State, error)
	// ListJobs lists jobs that are older than a Seq (0: all), the newest first.
	ListJobs(q JobQuery, before int64, limit int) ([]State, error)
	// Targeting returns the jobs that match q, by Seq, with Targets.
	Targeting(q TargetQuery) ([]State, error)
}

// ExecutionReader reads executions.
type ExecutionReader interface {
	// Executions returns the executions of the keys that exist.
	Executions(keys []Key) ([]Execution, error)
	// Attempts returns a key's superseded attempts, by number.
	Attempts(k Key) ([]Execution, error)
	// PendingOf returns the executions of things that have not ended, by job, with Of and Name.
	PendingOf(things []int64) ([]Execution, error)
	// ListOfJob lists a job's executions by thing, with Name. limit bounds the result, not the rows read.
	ListOfJob(job int64, q ExecutionQuery, after int64, limit int) ([]Execution, error)
	// ListOfThing lists a thing's executions and attempts below (job, number), the highest first, with Of.
	ListOfThing(thing int64, q ExecutionQuery, before AttemptKey, limit int) ([]Execution, error)
	// Ended lists lines by thing, with Name.
	Ended(q EndedQuery) ([]Ended, error)
	// Reasons counts the lines that match q by reason, over all things, the most frequent first; Limit bounds the reasons.
	Reasons(q EndedQuery) ([]ReasonCount, error)
}

// Tx also writes rows. It is not safe for concurrent use.
type Tx interface {
	Reader

	// PutThings inserts things without an ID, and sets it; it updates the others by ID. ErrExists if a new name is taken.
	PutThings(things []Thing) error
	// PurgeThings removes the given things that are Deleted and not referenced by an execution, attempt or target.
	PurgeThings(ids []int64) error
	// PutGroups is PutThings for groups. Above is not written.
	PutGroups(groups []Group) error
	// PurgeGroups removes the given groups that are GroupEnded and not referenced by a target.
	PurgeGroups(ids []int64) error
	// MoveMembers removes memberships and adds others. It returns the new ones; all get the same serial, above that of every
	// job.
	MoveMembers(add, remove []Member) (joined []Member, err error)

	// InsertJob inserts a job with its targets, and sets Seq and Serial. ErrExists.
	InsertJob(j *Job, targets []Target) error
	// PutJob updates a row by Seq. add are targets to append.
	PutJob(j *Job, add []Target) error
	// PutProgress updates a job's progress, except its counts.
	PutProgress(job int64, p *Progress) error
	// DeleteJob removes a job without executions, its targets, and its lines of ended executions.
	DeleteJob(job int64) error

	// Apply makes changes, independently of each other, in the transaction. Each key may occur once.
	Apply(changes []Change) error
	// DeleteExecutions removes rows by key, number and version; Status must be the row's. It returns how many existed. Their
	// attempts stay.
	DeleteExecutions(rows []Execution) (int, error)
	// DeleteAttempts removes attempts, and returns how many existed.
	DeleteAttempts(keys []AttemptKey) (int, error)

	// PutValues inserts or replaces values.
	PutValues(values []Value) error
	// DeleteValues removes the values of the keys; nil: all of the space.
	DeleteValues(space string, keys []string) error

	// Publish adds entries to the feed, visible once the transaction is committed. A single-handle engine does nothing.
	Publish(entries []Entry) error
}
