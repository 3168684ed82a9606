package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/sqlite"
)

// openEngine opens what keeps the jobs: a file, or a database that gateways share.
func openEngine(ctx context.Context, c *config.Jobs, log *slog.Logger) (engine.Engine, error) {
	if c.SharedStore() {
		e, err := postgres.Open(ctx, postgres.Options{
			URL: c.Store, PasswordFile: c.StorePasswordFile, Connections: c.StoreConnections, Timeout: c.StoreTimeout, Log: log,
		})
		if err != nil {
			return nil, err // not a nil *postgres.Engine
		}
		return e, nil
	}
	e, err := sqlite.Open(ctx, sqlite.Options{Path: c.Store, Log: log})
	if err != nil {
		if errors.Is(err, jobs.ErrStoreInUse) {
			err = fmt.Errorf("%w: another jobgate has it open; see jobs.store", err)
		}
		return nil, err
	}
	return e, nil
}
