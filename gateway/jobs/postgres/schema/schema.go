// Package schema brings a PostgreSQL database to the version that this program needs, and refuses one that it cannot serve.
package schema

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres/failure"
)

// files are the migrations, in the order of their names. A released one never changes; a release only
// expands the schema and drops what the release before no longer needed, so that gateways can be replaced one by one.
//
//go:embed *.sql
var files embed.FS

// minProgram is the oldest program, by its number of migrations, that can serve the schema as this one leaves it.
const minProgram = 1

// ErrOld means that the schema must be migrated first, and that this program may not do it.
var ErrOld = errors.New("run jobgate store migrate")

// migrations returns the scripts.
func migrations() ([]string, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	scripts := make([]string, len(names))
	for i, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		scripts[i] = string(text)
	}
	return scripts, nil
}

// Options say how a database is prepared.
type Options struct {
	NoMigrate    bool   // a schema that is older than the program is refused with ErrOld, not migrated
	PasswordFile string // the setting's name, in errors
	Log          *slog.Logger
}

// Prepare checks a database and brings its schema to this program's version. Its errors say what to do.
func Prepare(ctx context.Context, pool *pgxpool.Pool, o Options) error {
	return hint(prepare(ctx, pool, &o), &o)
}

func prepare(ctx context.Context, pool *pgxpool.Pool, o *Options) error {
	scripts, err := migrations()
	if err != nil {
		return err
	}
	have, err := check(ctx, pool, len(scripts))
	if err != nil || have >= len(scripts) {
		return err
	}
	if o.NoMigrate {
		return fmt.Errorf("its schema has version %d, this program needs %d: %w", have, len(scripts), ErrOld)
	}
	return migrate(ctx, pool, scripts, o)
}

// check returns the version of a database's schema, 0 if it has none. It refuses a database that this program cannot serve.
func check(ctx context.Context, pool *pgxpool.Pool, supported int) (have int, err error) {
	var ours, others, standby bool
	err = pool.QueryRow(ctx, `SELECT to_regclass('jobgate_schema') IS NOT NULL,
		EXISTS (SELECT FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm') AND relname <> 'jobgate_lock'),
		pg_is_in_recovery()`).Scan(&ours, &others, &standby)
	if err != nil {
		return 0, err
	}
	if standby {
		return 0, errors.New("it is a standby and takes no changes: name all hosts and add target_session_attrs=read-write")
	}
	if !ours {
		if others {
			return 0, errors.New("the database is used by another program: give jobgate a database, or a schema (search_path), of its own")
		}
		return 0, nil
	}
	var least int
	err = pool.QueryRow(ctx, "SELECT version, min_program FROM jobgate_schema").Scan(&have, &least)
	if err != nil {
		return 0, err
	}
	if least > supported {
		return have, fmt.Errorf("its schema is for programs of version %d and newer, this one is %d: %w", least, supported, engine.ErrNewer)
	}
	return have, nil
}

// The lease under which one of many gateways migrates, and how long it holds without being renewed.
const (
	migrateLease = 30 * time.Second
	migrateWait  = time.Second
)

// migrate runs the scripts that are missing, under a lease in a table of its own: one of many gateways does it, and if it
// fails, another continues.
func migrate(ctx context.Context, pool *pgxpool.Pool, scripts []string, o *Options) error {
	// IF NOT EXISTS may still fail when two create the table at once.
	for n := 1; ; n++ {
		_, err := pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS jobgate_lock (one boolean PRIMARY KEY DEFAULT true CHECK (one), holder text NOT NULL, until timestamptz NOT NULL)`)
		if err == nil {
			break
		}
		if c := failure.Code(err); (c != "23505" && c != "42P07" && c != "42710") || n > 20 || !failure.Pause(ctx, n) {
			return err
		}
	}
	holder := uuid.NewString()
	for {
		held, err := lock(ctx, pool, holder)
		if err != nil {
			return err
		}
		if !held {
			select {
			case <-time.After(migrateWait):
			case <-ctx.Done():
				return fmt.Errorf("cannot migrate the schema: another gateway is migrating it and has not finished: %w", ctx.Err())
			}
		}
		have, err := check(ctx, pool, len(scripts))
		if err != nil {
			return err
		}
		if have >= len(scripts) {
			if held {
				_, err = pool.Exec(ctx, "UPDATE jobgate_lock SET until = '-infinity' WHERE holder = $1", holder)
			}
			return err
		}
		if held {
			o.Log.Info("migrating the schema of the jobs store", "from", have, "to", have+1)
			if err := step(ctx, pool, scripts[have], have+1, holder); err != nil {
				return fmt.Errorf("cannot migrate the schema to version %d: %w", have+1, err)
			}
		}
	}
}

// lock takes or renews the lease.
func lock(ctx context.Context, pool *pgxpool.Pool, holder string) (bool, error) {
	tag, err := pool.Exec(ctx, `INSERT INTO jobgate_lock AS l (holder, until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
		ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE l.holder = excluded.holder OR l.until < clock_timestamp()`, holder, migrateLease.Seconds())
	return tag.RowsAffected() == 1, err
}

// step runs a script in a transaction that ends only if the lease still holds.
func step(ctx context.Context, pool *pgxpool.Pool, script string, version int, holder string) error {
	return pgx.BeginFunc(ctx, pool, func(t pgx.Tx) error {
		var n int
		if err := t.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM jobgate_lock WHERE holder = $1 FOR UPDATE) l", holder).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("another gateway took over; start again")
		}
		if _, err := t.Exec(ctx, `CREATE TABLE IF NOT EXISTS jobgate_schema (
			one boolean PRIMARY KEY DEFAULT true CHECK (one), version integer NOT NULL, min_program integer NOT NULL)`); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, script); err != nil { // several statements: without arguments pgx uses the simple protocol
			return err
		}
		_, err := t.Exec(ctx, `INSERT INTO jobgate_schema (version, min_program) VALUES ($1, $2)
			ON CONFLICT (one) DO UPDATE SET version = excluded.version, min_program = excluded.min_program`, version, minProgram)
		return err
	})
}

// hint adds to an error what can be done about it.
func hint(err error, o *Options) error {
	switch failure.Code(err) {
	case "28P01", "28000":
		return fmt.Errorf("%w; see %s, and the server's pg_hba.conf", err, o.PasswordFile)
	case "3D000":
		return fmt.Errorf("%w; create it: createdb jobgate", err)
	case "42501":
		return fmt.Errorf("%w; the role must own the schema, or be granted CREATE on it", err)
	}
	return err
}
