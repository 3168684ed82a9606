package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Kind is the type of a Table's column.
type Kind uint8

// Kinds of columns.
const (
	Int   Kind = iota // int64
	Bool              // int64, 0 or 1
	Text              // string
	Bytes             // []byte
)

// Column is a column of a Table.
type Column struct {
	Name string
	Kind Kind
}

// Table is a set of rows in the format for copying a store. The first Key columns identify a row.
type Table struct {
	Name    string
	Key     int
	Columns []Column
}

func table(name string, key int, columns ...Column) Table { return Table{name, key, columns} }

func ints(names ...string) (list []Column) {
	for _, name := range names {
		list = append(list, Column{name, Int})
	}
	return list
}

func texts(names ...string) (list []Column) {
	for _, name := range names {
		list = append(list, Column{name, Text})
	}
	return list
}

func bools(names ...string) (list []Column) {
	for _, name := range names {
		list = append(list, Column{name, Bool})
	}
	return list
}

func columns(parts ...[]Column) (list []Column) {
	for _, p := range parts {
		list = append(list, p...)
	}
	return list
}

// execution are the columns of executions and attempts.
var execution = columns(ints("job", "thing", "number", "version", "status"), bools("forced"),
	ints("retry", "retry_timed_out", "queued", "started", "updated", "deadline", "step"), texts("details", "reason"))

// Tables is a whole store, except leases, the feed and places in it. Counts and indexes are rebuilt from these rows. "last"
// has the highest numbers assigned, by kind: things, groups, jobs, serials.
var Tables = []Table{
	table("things", 1, columns(ints("id"), texts("name", "uuid", "type", "billing", "attributes"), ints("version", "created"), bools("deleted"))...),
	table("groups", 1, columns(ints("id"), texts("name", "uuid"), ints("parent"), texts("description", "attributes"), ints("version", "created", "state"))...),
	table("members", 2, ints("grp", "thing", "serial")...),
	table("jobs", 1, columns(ints("seq"), texts("id"), ints("version", "status", "selection", "sweep"), texts("namespace"), bools("active"),
		ints("created", "ended", "serial"), texts("record"), ints("notified", "chunks"), bools("started", "done", "swept"),
		ints("pace", "target", "at_group", "at_thing", "sweep_thing"))...),
	table("targets", 2, columns(ints("job", "position"), bools("is_group"), ints("ref"))...),
	table("executions", 2, execution...),
	table("attempts", 3, execution...),
	table("values", 2, columns(texts("space", "key"), []Column{{"value", Bytes}})...),
	table("last", 1, columns(texts("name"), ints("number"))...),
}

// Copier is an engine whose rows can be copied to another.
type Copier interface {
	Engine
	// Fence makes the store read-only for all handles, at once and permanently, until it is lifted.
	Fence(ctx context.Context, on bool) error
	// Fenced reports whether the store has a fence.
	Fenced(ctx context.Context) (bool, error)
	// Export returns up to limit rows of a table, ordered by key, after a key (nil: from the first).
	Export(ctx context.Context, t *Table, after []any, limit int) (rows [][]any, err error)
	// Import adds rows, and stores mark in the same transaction.
	Import(ctx context.Context, t *Table, rows [][]any, mark []Value) error
	// Finish builds counts and indexes from the imported rows, and deletes the values of a space.
	Finish(ctx context.Context, space string) error
	// Check checks the whole store: it returns the number of rows, and the inconsistencies.
	Check(ctx context.Context) (Report, error)
}

// Report is the result of a check.
type Report struct {
	Version int64            // of the schema
	Rows    map[string]int64 // by table
	Faults  []Fault
}

// Fault is an inconsistency in a store.
type Fault struct {
	What string // "executions of jobs that do not exist"
	Rows int64
}

// CopySpace is the space for the progress of a copy, in the target store. While it holds a value, no gateway may use the
// store.
const CopySpace = "copy"

// PlaceSpace is the space of places in the feed (rules.Place), which are meaningless in another store.
const PlaceSpace = "followers"

// ErrNotEmpty is returned if the target of a copy already has rows.
var ErrNotEmpty = errors.New("jobs engine: not empty")

// copied is the number of rows in one step.
const copied = 2000

// Copy copies all rows of a store into an empty one. It resumes an interrupted copy with the same source, which is the
// source's name. The source must be fenced. done is called after each part; it may be nil.
func Copy(ctx context.Context, from, to Copier, source string, done func(table string, rows int)) error {
	marks := map[string][]any{}
	if _, err := begun(ctx, to, source, marks); err != nil {
		return err
	}
	for i := range Tables {
		t := &Tables[i]
		if err := copyTable(ctx, from, to, t, source, marks[t.Name], done); err != nil {
			return fmt.Errorf("cannot copy %s: %w", t.Name, err)
		}
	}
	return to.Finish(ctx, CopySpace)
}

// Begun reports whether a store holds a part of a copy of source. If it holds anything else, Begun returns an error, which is
// ErrNotEmpty if no copy into the store is incomplete.
func Begun(ctx context.Context, to Copier, source string) (bool, error) {
	return begun(ctx, to, source, map[string][]any{})
}

func begun(ctx context.Context, to Copier, source string, marks map[string][]any) (bool, error) {
	begun, err := copyMarks(ctx, to, source, marks)
	if err == nil && !begun {
		err = isEmpty(ctx, to)
	}
	return begun, err
}

// copyMarks reads the progress of an earlier copy.
func copyMarks(ctx context.Context, to Copier, source string, marks map[string][]any) (begun bool, err error) {
	err = to.View(ctx, func(r Reader) error {
		values, err := r.ListValues(CopySpace, "", 100)
		if err != nil {
			return err
		}
		begun = len(values) > 0
		for _, v := range values {
			if v.Key == "source" {
				if string(v.Value) != source {
					return fmt.Errorf("the target holds a part of %s: finish that copy, or begin with an empty store", v.Value)
				}
				continue
			}
			var key []json.RawMessage
			if err := json.Unmarshal(v.Value, &key); err != nil {
				return err
			}
			t := find(v.Key)
			if t == nil || len(key) != t.Key {
				return fmt.Errorf("the target's mark %q was not written by this program", v.Key)
			}
			marks[v.Key] = nil
			for i, text := range key {
				var n int64
				var s string
				if t.Columns[i].Kind == Text {
					err = json.Unmarshal(text, &s)
					marks[v.Key] = append(marks[v.Key], s)
				} else {
					err = json.Unmarshal(text, &n)
					marks[v.Key] = append(marks[v.Key], n)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return begun, err
}

func find(name string) *Table {
	for i := range Tables {
		if Tables[i].Name == name {
			return &Tables[i]
		}
	}
	return nil
}

// isEmpty returns an error if a store has rows.
func isEmpty(ctx context.Context, to Copier) error {
	for i := range Tables {
		t := &Tables[i]
		if t.Name == "last" {
			continue
		}
		rows, err := to.Export(ctx, t, nil, 1)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			return fmt.Errorf("%w: it has %s", ErrNotEmpty, t.Name)
		}
	}
	return nil
}

func copyTable(ctx context.Context, from, to Copier, t *Table, source string, after []any, done func(string, int)) error {
	for {
		rows, err := from.Export(ctx, t, after, copied)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1][:t.Key]
		key, err := json.Marshal(after)
		if err != nil {
			return err
		}
		mark := []Value{{CopySpace, "source", []byte(source)}, {CopySpace, t.Name, key}}
		last := len(rows) < copied
		if t.Name == "values" {
			rows = slices.DeleteFunc(rows, func(row []any) bool { return row[0] == PlaceSpace })
		}
		if err := to.Import(ctx, t, rows, mark); err != nil {
			return err
		}
		if done != nil {
			done(t.Name, len(rows))
		}
		if last {
			return nil
		}
	}
}
