package memory

import (
	"cmp"
	"iter"
	"slices"
)

// table keeps rows in the order of their keys. Assigning a table takes a snapshot: the rows belong to one transaction, and
// any other transaction copies them before its first change.
type table[K, V any] struct {
	order func(a, b K) int
	rows  []row[K, V]
	owner int64 // the transaction that rows belong to; 0: none
}

type row[K, V any] struct {
	key   K
	value *V // never changed in place
}

// index is a table keyed by numbers or names.
func index[K cmp.Ordered, V any]() table[K, V] { return table[K, V]{order: cmp.Compare[K]} }

// find returns the position of a key, or where it would be inserted.
func (t *table[K, V]) find(key K) (at int, found bool) {
	return slices.BinarySearchFunc(t.rows, key, func(r row[K, V], key K) int { return t.order(r.key, key) })
}

func (t *table[K, V]) get(key K) (value V, found bool) {
	at, found := t.find(key)
	if found {
		value = *t.rows[at].value
	}
	return value, found
}

func (t *table[K, V]) has(key K) bool {
	_, found := t.find(key)
	return found
}

// all yields the rows in order.
func (t *table[K, V]) all() iter.Seq2[K, V] { return t.yield(0, len(t.rows)) }

// between yields the rows from one key up to, but not including, another.
func (t *table[K, V]) between(from, to K) iter.Seq2[K, V] {
	i, _ := t.find(from)
	j, _ := t.find(to)
	return t.yield(i, j)
}

// yield yields the current rows, even if the loop changes the table.
func (t *table[K, V]) yield(i, j int) iter.Seq2[K, V] {
	t.owner = 0
	rows := t.rows[i:j]
	return func(yield func(K, V) bool) {
		for _, r := range rows {
			if !yield(r.key, *r.value) {
				return
			}
		}
	}
}

// put inserts or replaces a row.
func (t *table[K, V]) put(tx int64, key K, value V) {
	t.own(tx)
	at, found := t.find(key)
	if !found {
		t.rows = slices.Insert(t.rows, at, row[K, V]{key: key})
	}
	t.rows[at].value = &value
}

func (t *table[K, V]) remove(tx int64, key K) {
	t.own(tx)
	if at, found := t.find(key); found {
		t.rows = slices.Delete(t.rows, at, at+1)
	}
}

func (t *table[K, V]) own(tx int64) {
	if t.owner != tx {
		t.rows, t.owner = slices.Clone(t.rows), tx
	}
}

// pick returns the rows of the keys that exist.
func pick[K, V any](t *table[K, V], keys []K) (list []V) {
	for _, key := range keys {
		if v, found := t.get(key); found {
			list = append(list, v)
		}
	}
	return list
}

// where returns up to limit of the rows for which keep returns true.
func where[K, V any](rows iter.Seq2[K, V], limit int, keep func(V) bool) (list []V) {
	for _, v := range rows {
		if len(list) < limit && keep(v) {
			list = append(list, v)
		}
	}
	return list
}

// sorted sorts a list and cuts it to limit.
func sorted[V any](list []V, limit int, order func(a, b V) int) []V {
	slices.SortFunc(list, order)
	return list[:min(limit, len(list))]
}

// unlimited means no limit.
const unlimited = 1<<62 - 1
