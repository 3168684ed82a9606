package memory

import (
	"cmp"
	"slices"
	"time"

	"jobgate/gateway/jobs/engine"
)

// tables are one state of the database.
type tables struct {
	things     table[int64, engine.Thing]
	thingIDs   table[string, int64] // by name
	groups     table[int64, engine.Group]
	members    table[engine.Member, int64] // serials
	jobs       table[int64, engine.State]
	jobSeqs    table[string, int64] // by name
	executions table[engine.Key, engine.Execution]
	attempts   table[engine.AttemptKey, engine.Execution]
	ended      table[engine.AttemptKey, engine.Ended]
	values     table[valueKey, []byte]
	leases     table[string, lease]
	feed       table[int64, feedEntry]

	published, pruned int64         // the last entries added to feed, and removed from it
	grown             chan struct{} // closed when the feed has entries after those of this state
}

type valueKey struct{ space, key string }

func newTables() tables {
	byAttempt := func(a, b engine.AttemptKey) int { return cmp.Or(byKey(a.Key, b.Key), cmp.Compare(a.Number, b.Number)) }
	byMember := func(a, b engine.Member) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Thing, b.Thing))
	}
	bySpace := func(a, b valueKey) int { return cmp.Or(cmp.Compare(a.space, b.space), cmp.Compare(a.key, b.key)) }
	return tables{
		things:     index[int64, engine.Thing](),
		thingIDs:   index[string, int64](),
		groups:     index[int64, engine.Group](),
		members:    table[engine.Member, int64]{order: byMember},
		jobs:       index[int64, engine.State](),
		jobSeqs:    index[string, int64](),
		executions: table[engine.Key, engine.Execution]{order: byKey},
		attempts:   table[engine.AttemptKey, engine.Execution]{order: byAttempt},
		ended:      table[engine.AttemptKey, engine.Ended]{order: byAttempt},
		values:     table[valueKey, []byte]{order: bySpace},
		leases:     index[string, lease](),
		feed:       index[int64, feedEntry](),
		grown:      make(chan struct{}),
	}
}

func byKey(a, b engine.Key) int {
	return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(a.Thing, b.Thing))
}

// tx is a transaction, or a single call, on its own state. It implements engine.Tx.
type tx struct {
	tables
	db    *Database
	id    int64
	inner bool // its calls are not recorded, because they are part of a recorded call
}

func (t *tx) called(name string) {
	if !t.inner {
		t.db.called(name)
	}
}

func (t *tx) Values(space string, keys []string) (list []engine.Value, err error) {
	t.called("Values")
	for _, key := range keys {
		if v, found := t.values.get(valueKey{space, key}); found {
			list = append(list, engine.Value{Space: space, Key: key, Value: v})
		}
	}
	return list, nil
}

func (t *tx) ListValues(space, after string, limit int) (list []engine.Value, err error) {
	t.called("ListValues")
	for k, v := range t.values.all() {
		if k.space == space && k.key > after && len(list) < limit {
			list = append(list, engine.Value{Space: space, Key: k.key, Value: v})
		}
	}
	return list, nil
}

func (t *tx) PutValues(values []engine.Value) error {
	t.called("PutValues")
	for _, v := range values {
		t.values.put(t.id, valueKey{v.Space, v.Key}, slices.Clone(v.Value))
	}
	return nil
}

func (t *tx) DeleteValues(space string, keys []string) error {
	t.called("DeleteValues")
	for k := range t.values.all() {
		if k.space == space && (keys == nil || slices.Contains(keys, k.key)) {
			t.values.remove(t.id, k)
		}
	}
	return nil
}

func (t *tx) Publish(entries []engine.Entry) error {
	t.called("Publish")
	for _, entry := range entries {
		t.publish(entry)
	}
	return nil
}

func (t *tx) publish(entry engine.Entry) {
	t.published++
	t.feed.put(t.id, t.published, feedEntry{entry, time.Now()})
}
