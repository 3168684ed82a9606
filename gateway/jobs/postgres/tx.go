package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"jobgate/gateway/jobs/engine"
)

// tx is a transaction, or a single call.
type tx struct {
	ctx    context.Context
	engine *Engine
	conn   statements
	shard  int16
	writes bool
	err    error // the first error of the database
}

var _ engine.Tx = (*tx)(nil)

// statements is implemented by transactions and pools.
type statements interface {
	querier
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// poolConn runs single statements.
type poolConn struct{ *pgxpool.Pool }

func (t *tx) query(sql string, args ...any) (pgx.Rows, error) {
	rows, err := t.conn.Query(t.ctx, sql, args...)
	if err != nil {
		t.failed(err)
		return nil, err
	}
	return &watched{rows, t}, nil
}

// watched records an error while reading rows in the transaction.
type watched struct {
	pgx.Rows
	tx *tx
}

func (w *watched) Err() error {
	err := w.Rows.Err()
	w.tx.failed(err)
	return err
}

func (t *tx) exec(sql string, args ...any) error {
	_, err := t.conn.Exec(t.ctx, sql, args...)
	t.failed(err)
	return err
}

func (t *tx) failed(err error) {
	if t.err == nil {
		t.err = err
	}
}
