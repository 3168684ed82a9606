package memory

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobs/engine"
)

// Moods say how unkind a database is. The zero value is kind.
type Moods struct {
	Seed      uint64
	Conflicts int           // percent of runs of a transaction that end in a serialization failure
	Lost      int           // percent of commits whose answer is lost: engine.ErrUnknown
	Delay     time.Duration // longest time that a call waits before it begins
}

// Database is what handles share.
type Database struct {
	mu     sync.Mutex
	moods  Moods
	rand   *rand.Rand
	calls  []string
	rows   rows
	leases map[string]lease
	feed   []feedEntry
	pruned int           // entries that are no longer in feed
	grown  chan struct{} // closed and replaced when the feed grows
}

type lease struct {
	engine.Lease
	until time.Time
}

type feedEntry struct {
	engine.Entry
	at time.Time
}

// New returns an empty database.
func New(m Moods) *Database {
	return &Database{
		moods: m, rand: rand.New(rand.NewPCG(m.Seed, 1)), rows: newRows(),
		leases: make(map[string]lease), grown: make(chan struct{}),
	}
}

// Set changes the moods from now on, but for the seed.
func (d *Database) Set(m Moods) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.moods = m
}

// Open returns a handle.
func (d *Database) Open() *Engine { return &Engine{db: d} }

// Calls takes the names of the methods that were called since it was last asked: those of Engine but View and Update,
// which are counted by what they read and write.
func (d *Database) Calls() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

// maxCalls bounds the memory of calls that nobody asks for.
const maxCalls = 100_000

func (d *Database) called(name string) {
	if len(d.calls) < maxCalls {
		d.calls = append(d.calls, name)
	}
}

// chance says yes as often as percent.
func (d *Database) chance(percent int) bool { return percent > 0 && d.rand.IntN(100) < percent }

// Engine is a handle on a Database.
type Engine struct {
	db     *Database
	closed atomic.Bool
}

var _ engine.Engine = (*Engine)(nil)

// Close ends the handle; the database stays.
func (e *Engine) Close() error {
	e.closed.Store(true)
	return nil
}

// enter begins a call; the caller unlocks.
func (e *Engine) enter(ctx context.Context, name string) (*tx, error) {
	if e.closed.Load() {
		return nil, engine.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.db.mu.Lock()
	if d := e.db.moods.Delay; d > 0 {
		d = time.Duration(e.db.rand.Int64N(int64(d)))
		e.db.mu.Unlock()
		time.Sleep(d)
		e.db.mu.Lock()
	}
	if name != "" {
		e.db.called(name)
	}
	return &tx{db: e.db, rows: &e.db.rows, inner: true}, nil
}

// View implements engine.Engine.
func (e *Engine) View(ctx context.Context, read func(engine.Reader) error) error {
	t, err := e.enter(ctx, "")
	if err != nil {
		return err
	}
	defer e.db.mu.Unlock()
	t.inner = false
	return read(t)
}

// Update implements engine.Engine.
func (e *Engine) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	t, err := e.enter(ctx, "")
	if err != nil {
		return err
	}
	defer e.db.mu.Unlock()
	for {
		t.inner = false
		if err := change(t); err != nil {
			t.rollback()
			return err
		}
		t.inner = true
		if l := w.Lease; l != nil && e.db.leases[l.Name].Term != l.Term {
			t.rollback()
			return engine.ErrFenced
		}
		if e.db.chance(e.db.moods.Conflicts) {
			t.rollback()
			continue
		}
		e.db.commit(t.entries)
		return e.lose()
	}
}

// lose loses the answer of a commit now and then.
func (e *Engine) lose() error {
	if e.db.chance(e.db.moods.Lost) {
		return engine.ErrUnknown
	}
	return nil
}

// Apply implements engine.Engine.
func (e *Engine) Apply(ctx context.Context, changes []engine.Change) error {
	t, err := e.enter(ctx, "Apply")
	if err != nil {
		return err
	}
	defer e.db.mu.Unlock()
	err = t.Apply(changes)
	e.db.commit(t.entries)
	if err == nil {
		err = e.lose()
	}
	if err != nil {
		for i := range changes {
			changes[i].Applied = false
		}
	}
	return err
}

// Pending implements engine.Engine.
func (e *Engine) Pending(ctx context.Context, dst []engine.Execution, thing string) ([]engine.Execution, error) {
	t, err := e.enter(ctx, "Pending")
	if err != nil {
		return dst, err
	}
	defer e.db.mu.Unlock()
	id, ok := t.rows.thingByName[thing]
	if !ok || t.rows.things[id].Deleted {
		return dst, engine.ErrNotFound
	}
	list, err := t.PendingOf([]int64{id})
	return append(dst, list...), err
}

// Execution implements engine.Engine.
func (e *Engine) Execution(ctx context.Context, thing, jobID string) (engine.Execution, error) {
	t, err := e.enter(ctx, "Execution")
	if err != nil {
		return engine.Execution{}, err
	}
	defer e.db.mu.Unlock()
	seq, job := t.rows.jobByID[jobID]
	id, ok := t.rows.thingByName[thing]
	x, there := t.rows.executions[engine.Key{Job: seq, Thing: id}]
	if !job || !ok || !there {
		return engine.Execution{}, engine.ErrNotFound
	}
	return t.joined(x), nil
}

// Job implements engine.Engine.
func (e *Engine) Job(ctx context.Context, id string) (engine.State, error) {
	t, err := e.enter(ctx, "Job")
	if err != nil {
		return engine.State{}, err
	}
	defer e.db.mu.Unlock()
	return t.Job(id)
}

// Totals implements engine.Engine.
func (e *Engine) Totals(ctx context.Context) (counts engine.Counts, err error) {
	t, err := e.enter(ctx, "Totals")
	if err != nil {
		return counts, err
	}
	defer e.db.mu.Unlock()
	for _, x := range t.rows.executions {
		counts[x.Status]++
	}
	return counts, nil
}
