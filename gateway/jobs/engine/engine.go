package engine

import (
	"context"
	"time"
)

// Engine keeps the rows of a jobs store. All methods are safe for concurrent use. A canceled ctx ends a call early: a
// change may then be made or not, never half.
type Engine interface {
	// Pending appends a thing's executions that have not ended to dst, with Of, in no order. ErrNotFound if no live
	// thing has the name. It is the hot read: an engine answers it from memory, or sends what came while the last query
	// ran as one. A canceled ctx leaves the others of its batch alone.
	Pending(ctx context.Context, dst []Execution, thing string) ([]Execution, error)
	// Execution returns a thing's latest execution of a job, by their names, with Of and Name. ErrNotFound if there is
	// none, for whatever reason; deleted things have theirs.
	Execution(ctx context.Context, thing, jobID string) (Execution, error)
	// Apply makes changes, each on its own: Change.Applied says which were made. The error is that of those that may not
	// have been, whose Applied is false. It is the hot write: one statement for what arrived together, keys sorted.
	// The Key's thing may have been deleted since, the job too: such a change is not made.
	Apply(ctx context.Context, changes []Change) error

	// Job returns a job by its name. ErrNotFound.
	Job(ctx context.Context, id string) (State, error)
	// Totals returns the counts of all jobs together. They may be some seconds old on a shared engine.
	Totals(ctx context.Context) (Counts, error)
	// Due returns up to limit executions, with Of and Name, whose timers have run out at now, those first that ran out
	// first; and when to ask again (0: not until another timer is set). Who takes them ends them by Apply; one that is
	// not ended is returned again, at once or some seconds later.
	Due(ctx context.Context, now int64, limit int) (due []Execution, next int64, err error)

	// View runs read on one state of the database. It may run several times.
	View(ctx context.Context, read func(Reader) error) error
	// Update runs change in a transaction; see the laws.
	Update(ctx context.Context, w Work, change func(Tx) error) error

	Coordinator

	// Close ends the engine after the calls under way; those that follow return ErrClosed.
	Close() error
}

// Work says what a transaction is like.
type Work struct {
	Rows  int    // about how many rows it reads or writes: many may be kept apart from what devices wait for
	Lease *Lease // not nil: it goes by this lease, and fails with ErrFenced if that has passed on
}

// Coordinator is how handles of one store work together. An engine of one handle (Shared is false) holds every lease and
// has no feed.
type Coordinator interface {
	// Shared says whether other handles may change the store.
	Shared() bool
	// Acquire takes a lease that is free or has run out by the database's clock, or prolongs it for its holder. held is
	// false if another has it; Lease is the other's then. A lease that passes on gets a higher Term.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (l Lease, held bool, err error)
	// Release gives a lease up at once.
	Release(ctx context.Context, l Lease) error
	// Feed returns up to limit entries that were committed after a cursor ("" = those to come), and the cursor behind
	// them. It waits up to wait for the first. Entries of one job come in the order of their commits; none is left out
	// by commits that overtake one another. ErrMissed if the cursor's place was pruned.
	Feed(ctx context.Context, after string, limit int, wait time.Duration) (entries []Entry, next string, err error)
	// PruneFeed drops entries committed before, by the database's clock, the age.
	PruneFeed(ctx context.Context, age time.Duration) error
}

// Lease is a right to do some background work until it runs out.
type Lease struct {
	Name   string
	Holder string
	Term   int64         // grows each time the holder changes: the fencing token
	Left   time.Duration // how much of it was left when the database answered; count from before the call
}

// Entry is something that was committed.
type Entry struct {
	Job     int64  // the job whose order it is in; 0 = none
	Origin  string // the handle's, as the writer said
	Payload []byte // the caller's
}

// Reader reads rows of one state of the database, in a transaction as it left them.
type Reader interface {
	ThingReader
	JobReader
	ExecutionReader

	// Values returns those of the keys that are there.
	Values(space string, keys []string) ([]Value, error)
	// ListValues lists a space by key.
	ListValues(space, after string, limit int) ([]Value, error)
}

// ThingReader reads the registry.
type ThingReader interface {
	// Things returns the rows of those names that are there, deleted ones too.
	Things(names []string) ([]Thing, error)
	// ListThings lists live things by name.
	ListThings(q ThingQuery, after string, limit int) ([]Thing, error)

	// Groups returns the live groups of those names that are there, with Above.
	Groups(names []string) ([]Group, error)
	// ListGroups lists groups by name, with Above. It is one query, or two, however many rows there are.
	ListGroups(q GroupQuery, after string, limit int) ([]Group, error)
	// Families returns each group and its live descendants, by ID, in the order of the groups.
	Families(groups []int64) ([][]int64, error)
	// Memberships returns what groups the things were put into, but for GroupEnded.
	Memberships(things []int64) ([]Membership, error)
	// Walk meets up to w.Limit things.
	Walk(w Walk) ([]Visit, error)
}

// JobReader reads jobs.
type JobReader interface {
	// Job returns a job by its name, with Targets. ErrNotFound. In a transaction it also keeps others from changing the
	// job until its end.
	Job(id string) (State, error)
	// ListJobs lists jobs that are older than a Seq (0: all), the newest first.
	ListJobs(q JobQuery, before int64, limit int) ([]State, error)
	// Targeting returns the jobs that q asks for, by Seq, with Targets.
	Targeting(q TargetQuery) ([]State, error)
}

// ExecutionReader reads executions.
type ExecutionReader interface {
	// Executions returns those of the keys that are there.
	Executions(keys []Key) ([]Execution, error)
	// Attempts returns a key's superseded attempts, by number.
	Attempts(k Key) ([]Execution, error)
	// PendingOf returns the executions of things that have not ended, by job, with Of and Name.
	PendingOf(things []int64) ([]Execution, error)
	// ListOfJob lists a job's executions by thing, with Name. limit bounds what it returns, not what it looks at.
	ListOfJob(job int64, q ExecutionQuery, after int64, limit int) ([]Execution, error)
	// ListOfThing lists a thing's executions and attempts below (job, number), the highest first, with Of.
	ListOfThing(thing int64, q ExecutionQuery, before AttemptKey, limit int) ([]Execution, error)
	// Ended lists lines by thing, with Name.
	Ended(q EndedQuery) ([]Ended, error)
	// Reasons adds up the lines that q asks for, of all things, the most frequent first; Limit bounds the sums.
	Reasons(q EndedQuery) ([]ReasonCount, error)
}

// Tx writes rows too. Its methods are called one after the other.
type Tx interface {
	Reader

	// PutThings inserts those without an ID, and sets it; the others it updates by ID. ErrExists if a new name is taken.
	PutThings(things []Thing) error
	// PurgeThings removes those of the things that are Deleted and that no execution, attempt or target names.
	PurgeThings(ids []int64) error
	// PutGroups is PutThings for groups. Above is not written.
	PutGroups(groups []Group) error
	// PurgeGroups removes those of the groups that are GroupEnded and that no target names.
	PurgeGroups(ids []int64) error
	// MoveMembers removes memberships and adds others. It returns those that were not there before; all of them get one
	// serial, above that of every job.
	MoveMembers(add, remove []Member) (joined []Member, err error)

	// InsertJob inserts a job with its targets, and sets Seq and Serial. ErrExists.
	InsertJob(j *Job, targets []Target) error
	// PutJob updates a row by Seq. add are further targets, behind those that are there.
	PutJob(j *Job, add []Target) error
	// PutProgress updates a job's progress, but for its counts.
	PutProgress(job int64, p *Progress) error
	// DeleteJob removes a job, its targets, and its lines of ended executions. It has no executions any more.
	DeleteJob(job int64) error

	// Apply makes changes, each on its own, in the transaction. A key comes once.
	Apply(changes []Change) error
	// DeleteExecutions removes rows by key, number and version; Status is that of the row. It returns how many were
	// there. Their attempts stay.
	DeleteExecutions(rows []Execution) (int, error)
	// DeleteAttempts removes attempts, and returns how many were there.
	DeleteAttempts(keys []AttemptKey) (int, error)

	// PutValues inserts or replaces values.
	PutValues(values []Value) error
	// DeleteValues removes those of the keys that are there; nil: all of the space.
	DeleteValues(space string, keys []string) error

	// Publish adds entries to the feed, which show when the transaction is committed. Without other handles it does
	// nothing.
	Publish(entries []Entry) error
}
