package sqlite

import (
	"context"
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/sqlite/dbfile"
)

var _ engine.Copier = (*Store)(nil)

// fenced is the key of the value that marks a store as moved.
const fenced = "fenced"

// Fence implements engine.Copier. No other handle is open, so it only marks the file for handles that open it later.
func (s *Store) Fence(ctx context.Context, on bool) error {
	return s.change(ctx, s.sets, nil, func(t *tx) error {
		if on {
			return query(t.conn, "INSERT OR REPLACE INTO meta VALUES (?, 1)", nil, fenced)
		}
		return query(t.conn, "DELETE FROM meta WHERE name = ?", nil, fenced)
	})
}

// Fenced implements engine.Copier.
func (s *Store) Fenced(ctx context.Context) (fence bool, err error) {
	err = s.change(ctx, s.sets, nil, func(t *tx) error {
		_, fence, err = value(t.conn, "SELECT value FROM meta WHERE name = ?", fenced)
		return err
	})
	return fence, err
}

// Export implements engine.Copier.
func (s *Store) Export(ctx context.Context, t *engine.Table, after []any, limit int) (list [][]any, err error) {
	var names, keys, holes []string
	for i, c := range t.Columns {
		names = append(names, c.Name)
		if i < t.Key {
			keys, holes = append(keys, c.Name), append(holes, "?")
		}
	}
	where := ""
	if after != nil {
		where = " WHERE (" + strings.Join(keys, ", ") + ") > (" + strings.Join(holes, ", ") + ")"
	}
	sql := "SELECT " + strings.Join(names, ", ") + " FROM " + dbfile.Source(t.Name) + where + " ORDER BY " + strings.Join(keys, ", ") + fmt.Sprint(" LIMIT ", limit)
	conn, err := s.reads.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.reads.Put(conn)
	err = query(conn, sql, func(stmt *sqlite.Stmt) error {
		row := make([]any, len(t.Columns))
		for i, c := range t.Columns {
			switch c.Kind {
			case engine.Text:
				row[i] = stmt.ColumnText(i)
			case engine.Bytes:
				b := make([]byte, stmt.ColumnLen(i))
				stmt.ColumnBytes(i, b)
				row[i] = b
			default:
				row[i] = stmt.ColumnInt64(i)
			}
		}
		list = append(list, row)
		return nil
	}, after...)
	return list, err
}

// Import implements engine.Copier.
func (s *Store) Import(ctx context.Context, t *engine.Table, rows [][]any, mark []engine.Value) error {
	name, columns := t.Name, make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = c.Name
	}
	switch name {
	case "groups":
		columns[len(columns)-1] = "deleted"
	case "values":
		name = "vals"
	}
	sql := "INSERT INTO " + name + " (" + strings.Join(columns, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(columns)-1) + ")"
	return s.change(ctx, s.sets, nil, func(t *tx) error {
		for _, row := range rows {
			if name == "last" {
				if err := setLast(t.conn, row[0].(string), row[1].(int64)); err != nil {
					return err
				}
				continue
			}
			if err := query(t.conn, sql, nil, row...); err != nil {
				return err
			}
		}
		return t.PutValues(mark)
	})
}

// setLast sets the highest assigned number.
func setLast(c *sqlite.Conn, name string, number int64) error {
	if name == "serials" {
		return query(c, "UPDATE meta SET value = ? WHERE name = 'serial'", nil, number)
	}
	if err := query(c, "DELETE FROM sqlite_sequence WHERE name = ?", nil, name); err != nil {
		return err
	}
	return query(c, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", nil, name, number)
}

// countAll counts executions by status.
var countAll = func() string {
	var sets []string
	for status := range engine.Statuses {
		sets = append(sets, fmt.Sprintf("c%d = (SELECT count(*) FROM executions e WHERE e.job = jobs.seq AND e.status = %d)", status, status))
	}
	return "UPDATE jobs SET " + strings.Join(sets, ", ")
}()

// Check implements engine.Copier.
func (s *Store) Check(ctx context.Context) (engine.Report, error) {
	conn, err := s.reads.Take(ctx)
	if err != nil {
		return engine.Report{}, err
	}
	defer s.reads.Put(conn)
	return dbfile.Check(conn)
}

// Finish implements engine.Copier. The handle must be closed afterwards, because its view does not match the file.
func (s *Store) Finish(ctx context.Context, space string) error {
	return s.change(ctx, s.sets, nil, func(t *tx) error {
		for _, text := range []string{countAll, "DELETE FROM reasons", dbfile.SumReasons} {
			if err := query(t.conn, text, nil); err != nil {
				return err
			}
		}
		return query(t.conn, "DELETE FROM vals WHERE space = ?", nil, space)
	})
}
