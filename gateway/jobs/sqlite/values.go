package sqlite

import (
	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// Values implements engine.Reader.
func (r reader) Values(space string, keys []string) (list []engine.Value, err error) {
	for _, key := range keys {
		err := query(r.conn, "SELECT key, value FROM vals WHERE space = ? AND key = ?", appendValue(&list, space), space, key)
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ListValues implements engine.Reader.
func (r reader) ListValues(space, after string, limit int) (list []engine.Value, err error) {
	err = query(r.conn, "SELECT key, value FROM vals WHERE space = ? AND key > ? ORDER BY key LIMIT ?",
		appendValue(&list, space), space, after, limit)
	return list, err
}

func appendValue(list *[]engine.Value, space string) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		v := engine.Value{Space: space, Key: stmt.ColumnText(0), Value: make([]byte, stmt.ColumnLen(1))}
		stmt.ColumnBytes(1, v.Value)
		*list = append(*list, v)
		return nil
	}
}

// PutValues implements engine.Tx.
func (t *tx) PutValues(values []engine.Value) error {
	for i := range values {
		v := &values[i]
		err := query(t.conn, "INSERT INTO vals (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = ?3", nil,
			v.Space, v.Key, v.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteValues implements engine.Tx.
func (t *tx) DeleteValues(space string, keys []string) error {
	if keys == nil {
		return query(t.conn, "DELETE FROM vals WHERE space = ?", nil, space)
	}
	for _, key := range keys {
		if err := query(t.conn, "DELETE FROM vals WHERE space = ? AND key = ?", nil, space, key); err != nil {
			return err
		}
	}
	return nil
}
