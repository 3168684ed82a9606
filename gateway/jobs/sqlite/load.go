package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/sqlite/view"
)

// load builds the view from the database. It reads the executions only of jobs that have pending ones.
func load(ctx context.Context, v *view.View, c *sqlite.Conn) error {
	old := c.SetInterrupt(ctx.Done())
	defer c.SetInterrupt(old)
	if err := loadThings(v, c); err != nil {
		return fmt.Errorf("load things: %w", err)
	}
	var pending []int64
	err := query(c, "SELECT "+jobColumns+" FROM jobs WHERE active = 1 OR c0 + c1 > 0 ORDER BY seq",
		func(stmt *sqlite.Stmt) error {
			s := scanJob(stmt)
			v.Jobs.Add(s.Job, s.Progress)
			if c := &s.Progress.Counts; c[0]+c[1] > 0 {
				pending = append(pending, s.Job.Seq)
			}
			return nil
		})
	if err != nil {
		return fmt.Errorf("load jobs: %w", err)
	}
	err = query(c, "SELECT total(c0), total(c1), total(c2), total(c3), total(c4), total(c5), total(c6), total(c7) FROM jobs",
		func(stmt *sqlite.Stmt) error {
			var totals engine.Counts
			for i := range totals {
				totals[i] = stmt.ColumnInt64(i)
			}
			v.Jobs.SetTotals(totals)
			return nil
		})
	if err != nil {
		return fmt.Errorf("load totals: %w", err)
	}
	for _, seq := range pending {
		if err := loadExecutions(v, c, seq); err != nil {
			return fmt.Errorf("load executions: %w", err)
		}
	}
	return nil
}

// loadThings reads only the index of names, which is a third of the table's size, and skips the things in the index of
// deleted things.
func loadThings(v *view.View, c *sqlite.Conn) error {
	deleted := make(map[int64]bool)
	err := query(c, "SELECT id FROM things WHERE deleted = 1", func(stmt *sqlite.Stmt) error {
		deleted[stmt.ColumnInt64(0)] = true
		return nil
	})
	if err != nil {
		return err
	}
	return query(c, "SELECT id, name FROM things", func(stmt *sqlite.Stmt) error {
		if id := stmt.ColumnInt64(0); !deleted[id] {
			v.AddThing(id, stmt.ColumnText(1))
		}
		return nil
	})
}

func loadExecutions(v *view.View, c *sqlite.Conn, seq int64) error {
	return numbers(c, "SELECT "+executionColumns+" FROM executions WHERE job = ? AND status < ?", func(stmt *sqlite.Stmt) error {
		x := scanRow(stmt)
		v.Put(&x)
		return nil
	}, seq, engine.FirstEnded)
}
