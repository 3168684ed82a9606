package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
)

// load builds the view from the database. Only jobs that have executions which have not ended are walked through.
func (v *view) load(ctx context.Context, c *sqlite.Conn) error {
	old := c.SetInterrupt(ctx.Done())
	defer c.SetInterrupt(old)
	err := query(c, "SELECT id, name FROM things WHERE deleted = 0", func(stmt *sqlite.Stmt) error {
		v.addThing(stmt.ColumnInt64(0), stmt.ColumnText(1))
		return nil
	})
	if err != nil {
		return fmt.Errorf("load things: %w", err)
	}
	var pending []int64
	err = query(c, "SELECT "+jobColumns+" FROM jobs WHERE active = 1 OR c0 + c1 > 0 ORDER BY seq",
		func(stmt *sqlite.Stmt) error {
			s := scanJob(stmt)
			if v.jobs.add(s.Job, s.Progress); pendingIn(&s.Progress.Counts) > 0 {
				pending = append(pending, s.Job.Seq)
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("load jobs: %w", err)
	}
	err = query(c, "SELECT total(c0), total(c1), total(c2), total(c3), total(c4), total(c5), total(c6), total(c7) FROM jobs",
		func(stmt *sqlite.Stmt) error {
			for i := range v.jobs.totals {
				v.jobs.totals[i] = stmt.ColumnInt64(i)
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("load totals: %w", err)
	}
	for _, seq := range pending {
		if err := v.loadExecutions(c, seq); err != nil {
			return fmt.Errorf("load executions: %w", err)
		}
	}
	return nil
}

func (v *view) loadExecutions(c *sqlite.Conn, seq int64) error {
	e := v.jobs.bySeq[seq]
	return numbers(c, "SELECT "+executionColumns+" FROM executions WHERE job = ? AND status < ?", func(stmt *sqlite.Stmt) error {
		x := scanRow(stmt)
		v.put(&x, e)
		return nil
	}, seq, engine.FirstEnded)
}
