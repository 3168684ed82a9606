// Package storage opens the jobs' store, a file or a database that gateways share, and monitors it:
//
//	Open    the engine of jobs.store      Health   its metrics, its part of /readyz
//	Traced  the engine with spans         Command  jobgate store copy, backup, check, migrate, unfence
package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/schema"
	"jobgate/gateway/jobs/sqlite"
)

// Open opens the jobs' store: a file, or a database that gateways share.
func Open(ctx context.Context, c *config.Jobs, log *slog.Logger) (engine.Engine, *Health, error) {
	if c.SharedStore() {
		h := NewHealth("postgres", log)
		e, err := postgres.Open(ctx, postgres.Options{
			URL: c.Store, PasswordFile: c.StorePasswordFile, Connections: c.StoreConnections, Timeout: c.StoreTimeout,
			NoMigrate: !c.StoreMigrate, Log: log,
			Observe: func(call postgres.Call) { h.observe(call.Operation, call.Took, call.Err) },
		})
		if errors.Is(err, schema.ErrOld) {
			err = fmt.Errorf("%w, or start without --no-migrate", err)
		}
		if err != nil {
			return nil, nil, err
		}
		h.connections, h.lag = e.Connections, e.Lag
		if err := usable(ctx, e); err != nil {
			return nil, nil, errors.Join(err, e.Close())
		}
		return e, h, nil
	}
	h := NewHealth("sqlite", log)
	e, err := sqlite.Open(ctx, sqlite.Options{Path: c.Store, Log: log})
	if err != nil {
		if errors.Is(err, jobs.ErrStoreInUse) {
			err = fmt.Errorf("%w: another jobgate has it open; see jobs.store", err)
		}
		return nil, nil, err
	}
	h.check = e.Look
	if fenced, err := e.Fenced(ctx); err != nil || fenced {
		if err == nil {
			err = fmt.Errorf("cannot use the jobs store %q: it was moved by jobgate store copy; see jobs.store, or jobgate store unfence", c.Store)
		}
		return nil, nil, errors.Join(err, e.Close())
	}
	if err := usable(ctx, e); err != nil {
		return nil, nil, errors.Join(err, e.Close())
	}
	return &measured{e, h}, h, nil
}

// usable rejects a store into which a copy has not finished.
func usable(ctx context.Context, e engine.Engine) error {
	var values []engine.Value
	err := e.View(ctx, func(r engine.Reader) (err error) {
		values, err = r.ListValues(engine.CopySpace, "", 1)
		return err
	})
	if err == nil && len(values) > 0 {
		err = errors.New("cannot use the jobs store: a copy into it is incomplete; run jobgate store copy again")
	}
	return err
}
