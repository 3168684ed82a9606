package postgres

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"jobgate/gateway/jobs/postgres/lane"
	"jobgate/gateway/jobs/postgres/schema"
	"jobgate/gateway/localfile"
)

// Options say where a store is and how to use it.
type Options struct {
	URL          string        // postgres://user@host[,host]/database?…; the rest comes from libpq's environment and files
	PasswordFile string        // "": PGPASSWORD, PGPASSFILE, PGSERVICE
	Connections  int           // of this handle; 0: DefaultConnections
	Timeout      time.Duration // longest that a call waits for the database; 0: DefaultTimeout
	NoMigrate    bool          // a schema that is older than the program is refused with schema.ErrOld, not migrated
	Names        Names         // of URL and PasswordFile, in errors
	Log          *slog.Logger  // nil: discards
	Observe      func(Call)    // may be nil; called for each call to the database, by several goroutines
}

// Names are the options' names in errors: settings or flags. An empty one means the setting's.
type Names struct{ URL, PasswordFile string }

// Call describes a call for Options.Observe.
type Call struct {
	Operation string // read, write, view, update, job, totals, due, lease, feed, prune
	Took      time.Duration
	Rows      int // number of requests batched in a read or a write
	Err       error
}

// Defaults of Options, and the fewest connections that a handle works with.
const (
	DefaultConnections = 10
	DefaultTimeout     = 3 * time.Second
	MinConnections     = 4
)

// lanes is how the connections are divided: reads for each of two kinds of requests, writes, and the rest.
func lanes(connections int) (reads, writes, work int) {
	switch {
	case connections < 9:
		reads, writes = 1, 1
	case connections < 16:
		reads, writes = 2, 2
	default:
		reads, writes = 2, 4
	}
	return reads, writes, connections - 2*reads - writes
}

// Open connects to a store, brings its schema to this program's version and returns a handle. Errors name the problem
// with the address, the database or the rights, without a password.
func Open(ctx context.Context, o Options) (*Engine, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Connections == 0 {
		o.Connections = DefaultConnections
	}
	o.Names = Names{cmp.Or(o.Names.URL, "jobs.store"), cmp.Or(o.Names.PasswordFile, "jobs.store_password_file")}
	if o.Connections < MinConnections {
		return nil, fmt.Errorf("cannot use %d connections to the jobs store: at least %d are needed; see jobs.store_connections", o.Connections, MinConnections)
	}
	config, err := parse(&o)
	if err != nil {
		return nil, err
	}
	reads, writes, work := lanes(o.Connections)
	e := &Engine{options: o, jobs: newJobCache(), places: newPlaces(maxPlaces), shard: int16(rand.IntN(shards))} //nolint:gosec // spread, not a secret
	if e.work, err = open(ctx, &o, config, work, false); err != nil {
		return nil, err
	}
	if err := schema.Prepare(ctx, e.work, schema.Options{NoMigrate: o.NoMigrate, PasswordFile: o.Names.PasswordFile, Log: o.Log}); err != nil {
		e.work.Close()
		return nil, fmt.Errorf("cannot use %s %s: %w", o.Names.URL, where(config.ConnConfig), err)
	}
	if e.hot, err = open(ctx, &o, config, 2*reads+writes, true); err != nil {
		e.work.Close()
		return nil, err
	}
	e.pending, e.described, e.writes = lane.New[read](maxReads), lane.New[read](maxReads), lane.New[write](maxWrites)
	pending, described := newReadQuery(pendingQuery, false), newReadQuery(describedQuery, true)
	for range reads {
		e.pending.Serve(&e.running, func(batch []*read) { e.answer(batch, pending) })
		e.described.Serve(&e.running, func(batch []*read) { e.answer(batch, described) })
	}
	for range writes {
		shard := int16(rand.IntN(shards)) //nolint:gosec // spread, not a secret
		e.writes.Serve(&e.running, func(batch []*write) { e.writeBatch(batch, shard) })
	}
	return e, nil
}

// shards is how many parts a job's counts may have.
const shards = 64

// parse reads the address and the password.
func parse(o *Options) (*pgxpool.Config, error) {
	u, err := url.Parse(o.URL)
	guarded := err == nil && u.User != nil
	if guarded {
		_, guarded = u.User.Password()
	}
	if guarded || strings.Contains(o.URL, "password=") {
		return nil, fmt.Errorf("cannot use a password in %s: it would show in logs and process lists; see %s", o.Names.URL, o.Names.PasswordFile)
	}
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil { // the parser's error holds the URL
		return nil, fmt.Errorf("cannot parse %s: it must be like postgres://user@host/database?sslmode=verify-full", o.Names.URL)
	}
	if o.PasswordFile != "" {
		text, _, err := localfile.Read(o.PasswordFile, localfile.Limit)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", o.Names.PasswordFile, err)
		}
		config.ConnConfig.Password = strings.TrimRight(string(text), "\r\n")
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "jobgate"
	}
	config.ConnConfig.ConnectTimeout = o.Timeout
	return config, nil
}

// where identifies the database in the log: host and name, nothing else of the address.
func where(c *pgx.ConnConfig) string { return fmt.Sprintf("%s:%d/%s", c.Host, c.Port, c.Database) }

// open creates a pool. The connections of lanes plan their few statements once, by index: a plan made for an empty table
// would keep reading the whole table.
func open(ctx context.Context, o *Options, config *pgxpool.Config, size int, hot bool) (*pgxpool.Pool, error) {
	config = config.Copy()
	config.MaxConns = int32(size) //nolint:gosec // a setting's range
	config.MinConns = 0
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		settings := "SET jit = off" // its compiler takes longer than any statement here
		if hot {
			settings += "; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_material = off"
		}
		config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, settings)
			return err
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s %s: %w", o.Names.URL, where(config.ConnConfig), err)
	}
	return pool, nil
}
