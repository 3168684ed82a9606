package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"jobgate/gateway/jobs/postgres/failure"
)

// Fence implements engine.Copier. The database, or where the role does not own it the role in the database, is read-only by
// default, and earlier connections are terminated: their transactions are rolled back or were committed before the fence.
// It is an error if a connection remains that may change the store and that the role may not terminate.
func (e *Engine) Fence(ctx context.Context, on bool) error {
	return e.call(ctx, "fence", func(ctx context.Context) error {
		c, err := e.work.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
		if err := setReadOnly(ctx, c, on); err != nil {
			return err
		}
		return endSessions(ctx, c)
	})
}

// Fenced implements engine.Copier. It looks for the setting that Fence makes: earlier connections do not have its value.
func (e *Engine) Fenced(ctx context.Context) (fenced bool, err error) {
	err = e.call(ctx, "fenced", func(ctx context.Context) error {
		return e.work.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_db_role_setting, unnest(setconfig) one
			WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND (setrole = 0 OR setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user))
			AND one = 'default_transaction_read_only=on')`).Scan(&fenced)
	})
	return fenced, err
}

// Database identifies the database, whatever its address is. Two running servers differ even if one is a copy of the other.
func (e *Engine) Database(ctx context.Context) (id string, err error) {
	err = e.call(ctx, "database", func(ctx context.Context) error {
		return e.work.QueryRow(ctx, "SELECT concat_ws('-', "+serverOf+", extract(epoch FROM pg_postmaster_start_time()), oid) FROM pg_database WHERE datname = current_database()").Scan(&id)
	})
	return id, err
}

const insufficientPrivilege = "42501"

// setReadOnly sets whether transactions on new connections are read-only.
func setReadOnly(ctx context.Context, c *pgxpool.Conn, on bool) error {
	set := "SET default_transaction_read_only = on"
	if !on {
		set = "RESET default_transaction_read_only"
	}
	var database, role string
	if err := c.QueryRow(ctx, "SELECT quote_ident(current_database()), quote_ident(current_user)").Scan(&database, &role); err != nil {
		return err
	}
	err := writing(ctx, c, "ALTER DATABASE "+database+" "+set)
	if failure.Code(err) == insufficientPrivilege {
		err = writing(ctx, c, "ALTER ROLE "+role+" IN DATABASE "+database+" "+set)
	}
	return err
}

// writing runs a statement that changes something, in spite of the fence.
func writing(ctx context.Context, c *pgxpool.Conn, sql string) error {
	return pgx.BeginTxFunc(ctx, c, pgx.TxOptions{AccessMode: pgx.ReadWrite}, func(t pgx.Tx) error {
		_, err := t.Exec(ctx, sql)
		return err
	})
}

// session is another connection to the database.
type session struct {
	pid  int32
	role string
}

// sessions returns the connections that may change the store: those of roles that may change an execution. The server shows
// a role little more of others' sessions than this.
func sessions(ctx context.Context, c *pgxpool.Conn, among []int32) ([]session, error) {
	rows, err := c.Query(ctx, `SELECT pid, usename FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
		AND has_table_privilege(usesysid, 'executions', 'UPDATE') AND ($1::int[] IS NULL OR pid = ANY($1))`, among)
	return collect(rows, err, func(rows pgx.Rows, s *session) error { return rows.Scan(&s.pid, &s.role) })
}

// endSessions terminates the open connections and waits until they have ended.
func endSessions(ctx context.Context, c *pgxpool.Conn) error {
	open, err := sessions(ctx, c, nil)
	foreign := make(map[int32]string)
	var pids []int32
	for _, s := range open {
		_, err := c.Exec(ctx, "SELECT pg_terminate_backend($1)", s.pid)
		switch {
		case failure.Code(err) == insufficientPrivilege:
			foreign[s.pid] = s.role
		case err != nil:
			return err
		}
		pids = append(pids, s.pid)
	}
	for n := 1; err == nil && len(open) > 0; n++ {
		if open, err = sessions(ctx, c, pids); err != nil {
			return err
		}
		if len(open) <= len(foreign) && !slices.ContainsFunc(open, func(s session) bool { return foreign[s.pid] == "" }) {
			break
		}
		if !failure.Pause(ctx, n+3) {
			return ctx.Err()
		}
	}
	if err != nil || len(open) == 0 {
		return err
	}
	roles := slices.Compact(slices.Sorted(maps.Values(foreign)))
	return fmt.Errorf("jobs store: %d connections of the roles %s may change it and cannot be ended: close them, or grant pg_signal_backend, and run this again",
		len(open), strings.Join(roles, ", "))
}
