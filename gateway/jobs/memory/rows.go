package memory

import (
	"cmp"
	"slices"

	"jobgate/gateway/jobs/engine"
)

// rows are the tables.
type rows struct {
	lastThing, lastGroup, lastJob, serial int64

	things      map[int64]engine.Thing
	thingByName map[string]int64
	groups      map[int64]engine.Group
	members     map[engine.Member]int64 // serials
	jobs        map[int64]engine.State
	jobByID     map[string]int64
	executions  map[engine.Key]engine.Execution
	attempts    map[engine.AttemptKey]engine.Execution
	ended       map[engine.AttemptKey]engine.Ended
	values      map[valueKey][]byte
}

type valueKey struct{ space, key string }

func newRows() rows {
	return rows{
		things: make(map[int64]engine.Thing), thingByName: make(map[string]int64), groups: make(map[int64]engine.Group),
		members: make(map[engine.Member]int64), jobs: make(map[int64]engine.State), jobByID: make(map[string]int64),
		executions: make(map[engine.Key]engine.Execution), attempts: make(map[engine.AttemptKey]engine.Execution),
		ended: make(map[engine.AttemptKey]engine.Ended), values: make(map[valueKey][]byte),
	}
}

// tx is a transaction, or a single call; the database is locked as long as it lives.
type tx struct {
	db      *Database
	rows    *rows
	inner   bool // calls are not counted: they are part of another
	undo    []func()
	entries []engine.Entry
}

var _ engine.Tx = (*tx)(nil)

func (t *tx) called(name string) {
	if !t.inner {
		t.db.called(name)
	}
}

// rollback undoes everything.
func (t *tx) rollback() {
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.undo, t.entries = nil, nil
}

// set and unset change a table, and can be undone.
func set[K comparable, V any](t *tx, table map[K]V, key K, value V) {
	old, had := table[key]
	t.undo = append(t.undo, func() {
		if had {
			table[key] = old
		} else {
			delete(table, key)
		}
	})
	table[key] = value
}

func unset[K comparable, V any](t *tx, table map[K]V, key K) {
	if old, had := table[key]; had {
		t.undo = append(t.undo, func() { table[key] = old })
		delete(table, key)
	}
}

// next counts on. Numbers are not used again, not even those of a transaction that was rolled back.
func next(counter *int64) int64 {
	*counter++
	return *counter
}

// where returns the rows of a table that keep says, in an order, at most limit.
func where[K comparable, V any](table map[K]V, limit int, order func(a, b V) int, keep func(*V) bool) []V {
	var list []V
	for _, v := range table {
		if keep(&v) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, order)
	return list[:min(limit, len(list))]
}

// all is no limit.
const all = 1<<62 - 1

// Values implements engine.Reader.
func (t *tx) Values(space string, keys []string) (list []engine.Value, err error) {
	t.called("Values")
	for _, key := range keys {
		if v, ok := t.rows.values[valueKey{space, key}]; ok {
			list = append(list, engine.Value{Space: space, Key: key, Value: v})
		}
	}
	return list, nil
}

// ListValues implements engine.Reader.
func (t *tx) ListValues(space, after string, limit int) (list []engine.Value, err error) {
	t.called("ListValues")
	for k, v := range t.rows.values {
		if k.space == space && k.key > after {
			list = append(list, engine.Value{Space: space, Key: k.key, Value: v})
		}
	}
	slices.SortFunc(list, func(a, b engine.Value) int { return cmp.Compare(a.Key, b.Key) })
	return list[:min(limit, len(list))], nil
}

// PutValues implements engine.Tx.
func (t *tx) PutValues(values []engine.Value) error {
	t.called("PutValues")
	for _, v := range values {
		set(t, t.rows.values, valueKey{v.Space, v.Key}, slices.Clone(v.Value))
	}
	return nil
}

// DeleteValues implements engine.Tx.
func (t *tx) DeleteValues(space string, keys []string) error {
	t.called("DeleteValues")
	for k := range t.rows.values {
		if k.space == space && (keys == nil || slices.Contains(keys, k.key)) {
			unset(t, t.rows.values, k)
		}
	}
	return nil
}

// Publish implements engine.Tx.
func (t *tx) Publish(entries []engine.Entry) error {
	t.called("Publish")
	t.entries = append(t.entries, entries...)
	return nil
}
