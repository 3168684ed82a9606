package sqlite

import (
	"context"
	"crypto/rand"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// Secret implements jobs.SecretStore.
func (s *Store) Secret(ctx context.Context, name string) (secret []byte, err error) {
	err = s.write(ctx, func(t *tx) error {
		made := make([]byte, jobs.SecretSize)
		_, _ = rand.Read(made) // never fails
		if err := query(t.conn, "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", nil, name, made); err != nil {
			return err
		}
		return query(t.conn, "SELECT value FROM secrets WHERE name = ?", func(stmt *sqlite.Stmt) error {
			secret = make([]byte, stmt.ColumnLen(0))
			stmt.ColumnBytes(0, secret)
			return nil
		}, name)
	})
	return secret, err
}
