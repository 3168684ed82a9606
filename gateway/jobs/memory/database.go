package memory

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobs/engine"
)

// Faults are the faults that a database injects. The zero value injects none.
type Faults struct {
	Seed      uint64
	Conflicts int           // percent of runs of a transaction that end in a serialization failure
	Lost      int           // percent of commits whose answer is lost: engine.ErrUnknown
	Delay     time.Duration // longest wait before a call begins
}

// Database is shared by handles.
type Database struct {
	mu     sync.Mutex // held by the transaction that writes
	faults Faults
	rand   *rand.Rand
	state  tables
	last   struct{ tx, thing, group, job, serial int64 } // the last numbers assigned; a rollback does not reuse them

	counting sync.Mutex
	calls    []string
}

// New returns an empty database.
func New(m Faults) *Database {
	return &Database{faults: m, rand: rand.New(rand.NewPCG(m.Seed, 1)), state: newTables()}
}

// Set changes the faults. The seed stays.
func (d *Database) Set(m Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = m
}

// Open returns a handle.
func (d *Database) Open() engine.Engine { return &handle{db: d} }

// Calls returns the names of the methods called since the last Calls: those of Engine and, instead of View and Update, those
// called in their transactions.
func (d *Database) Calls() []string {
	d.counting.Lock()
	defer d.counting.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// maxCalls bounds the recorded calls.
const maxCalls = 100_000

func (d *Database) called(name string) {
	d.counting.Lock()
	defer d.counting.Unlock()
	if len(d.calls) < maxCalls {
		d.calls = append(d.calls, name)
	}
}

// chance returns true with a probability of percent.
func (d *Database) chance(percent int) bool { return percent > 0 && d.rand.IntN(100) < percent }

// next assigns a number.
func next(last *int64) int64 {
	*last++
	return *last
}

// handle is a handle on a Database. Its methods are those of engine.Engine.
type handle struct {
	db     *Database
	closed atomic.Bool
}

func (h *handle) Close() error {
	h.closed.Store(true)
	return nil
}

// begin locks the database and begins a call on its state. An empty name means a transaction, whose calls are recorded.
func (h *handle) begin(ctx context.Context, name string) (*tx, error) {
	if h.closed.Load() {
		return nil, engine.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d := h.db
	d.mu.Lock()
	if d.faults.Delay > 0 {
		delay := time.Duration(d.rand.Int64N(int64(d.faults.Delay)))
		d.mu.Unlock()
		time.Sleep(delay)
		d.mu.Lock()
	}
	if name != "" {
		d.called(name)
	}
	return &tx{tables: d.state, db: d, inner: name != ""}, nil
}

// read begins a call that reads.
func (h *handle) read(ctx context.Context, name string) (*tx, error) {
	t, err := h.begin(ctx, name)
	if err == nil {
		h.db.mu.Unlock()
	}
	return t, err
}

// write runs a call that changes something, and repeats it after each conflict.
func (h *handle) write(ctx context.Context, name string, change func(*tx) error) error {
	t, err := h.begin(ctx, name)
	if err != nil {
		return err
	}
	d := h.db
	defer d.mu.Unlock()
	for conflict := true; conflict; conflict = d.chance(d.faults.Conflicts) {
		t.tables, t.id = d.state, next(&d.last.tx)
		if err := change(t); err != nil {
			return err
		}
	}
	if t.published > d.state.published {
		close(t.grown)
		t.grown = make(chan struct{})
	}
	d.state = t.tables
	if d.chance(d.faults.Lost) {
		return engine.ErrUnknown
	}
	return nil
}

func (h *handle) View(ctx context.Context, read func(engine.Reader) error) error {
	t, err := h.read(ctx, "")
	if err != nil {
		return err
	}
	return read(t)
}

func (h *handle) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	return h.write(ctx, "", func(t *tx) error {
		if err := change(t); err != nil || w.Lease == nil {
			return err
		}
		if have, _ := t.leases.get(w.Lease.Name); have.Term != w.Lease.Term {
			return engine.ErrFenced
		}
		return nil
	})
}

func (h *handle) Apply(ctx context.Context, changes []engine.Change) error {
	err := h.write(ctx, "Apply", func(t *tx) error { return t.Apply(changes) })
	for i := range changes {
		changes[i].Applied = changes[i].Applied && err == nil
	}
	return err
}

func (h *handle) Pending(ctx context.Context, dst []engine.Execution, thing string) ([]engine.Execution, error) {
	t, err := h.read(ctx, "Pending")
	if err != nil {
		return dst, err
	}
	id, _ := t.thingIDs.get(thing)
	if !t.live(id) {
		return dst, engine.ErrNotFound
	}
	list, err := t.PendingOf([]int64{id})
	return append(dst, list...), err
}

func (h *handle) Execution(ctx context.Context, thing, jobID string) (x engine.Execution, err error) {
	t, err := h.read(ctx, "Execution")
	if err != nil {
		return x, err
	}
	job, _ := t.jobSeqs.get(jobID)
	id, _ := t.thingIDs.get(thing)
	x, found := t.executions.get(engine.Key{Job: job, Thing: id})
	if !found {
		return x, engine.ErrNotFound
	}
	return t.joined(x), nil
}

func (h *handle) Job(ctx context.Context, id string) (s engine.State, err error) {
	t, err := h.read(ctx, "Job")
	if err != nil {
		return s, err
	}
	return t.Job(id)
}

func (h *handle) Totals(ctx context.Context) (counts engine.Counts, err error) {
	t, err := h.read(ctx, "Totals")
	if err != nil {
		return counts, err
	}
	return countsOf(t.executions.all()), nil
}

// again is how soon a due execution is checked again, in milliseconds.
const again = 5000

func (h *handle) Due(ctx context.Context, now int64, limit int) (due []engine.Execution, next int64, err error) {
	t, err := h.read(ctx, "Due")
	if err != nil {
		return nil, 0, err
	}
	timed := where(t.executions.all(), unlimited, func(x engine.Execution) bool { return x.Timer() != 0 })
	for _, x := range sorted(timed, limit+1, soonest) {
		if x.Timer() > now || len(due) == limit {
			return due, max(now, x.Timer()), nil
		}
		due, next = append(due, t.joined(x)), now+again
	}
	return due, next, nil
}
