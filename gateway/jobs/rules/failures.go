package rules

import (
	"context"
	"strconv"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// endedQuery is a query for failures of a job.
func endedQuery(job int64, q *jobs.FailureQuery) engine.EndedQuery {
	meant := q.Statuses
	if len(meant) == 0 {
		meant = jobs.Failures()
	}
	ended := engine.EndedQuery{Job: job, ByReason: q.ByReason, Reason: q.Reason}
	for _, status := range meant {
		ended.Statuses |= engine.SetOf(uint8(status))
	}
	return ended
}

// Failures implements jobs.FailureStore. The order is by the things' numbers.
func (s *Store) Failures(ctx context.Context, jobID string, q jobs.FailureQuery, p jobs.Page) (list []jobs.Execution, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		_, j, err := findJob(r, jobID)
		if err != nil {
			return err
		}
		which := endedQuery(j.Row, &q)
		which.After, which.Limit = number(p.After), p.Limit+1
		lines, err := r.Ended(which)
		if err != nil {
			return err
		}
		lines, next = page(lines, p.Limit, func(e *engine.Ended) string { return strconv.FormatInt(e.Thing, 10) })
		list, err = executionsOf(r, j, lines)
		return err
	})
	return list, next, err
}

// executionsOf reads the executions of lines, in the same order.
func executionsOf(r engine.Reader, j *jobs.Job, lines []engine.Ended) ([]jobs.Execution, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	keys := make([]engine.Key, len(lines))
	for i := range lines {
		keys[i] = engine.Key{Job: j.Row, Thing: lines[i].Thing}
	}
	rows, err := r.Executions(keys)
	if err != nil {
		return nil, err
	}
	byThing := make(map[int64]*engine.Execution, len(rows))
	for i := range rows {
		byThing[rows[i].Thing] = &rows[i]
	}
	list := make([]jobs.Execution, 0, len(lines))
	for i := range lines {
		if row := byThing[lines[i].Thing]; row != nil { // always true: a line is listed only while its execution exists
			list = append(list, execution(row, lines[i].Name, j))
		}
	}
	return list, nil
}

// CountFailures implements jobs.FailureStore.
func (s *Store) CountFailures(ctx context.Context, jobID string, q jobs.FailureQuery) (n int64, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		state, _, err := findJob(r, jobID)
		if err == nil {
			n, err = countFailures(r, &state, &q)
		}
		return err
	})
	return n, err
}

// countFailures counts a job's failures: from its counts, unless a reason is given.
func countFailures(r engine.Reader, state *engine.State, q *jobs.FailureQuery) (n int64, err error) {
	which := endedQuery(state.Job.Seq, q)
	if !q.ByReason {
		for status, count := range state.Progress.Counts {
			if which.Statuses.Has(uint8(status)) {
				n += count
			}
		}
		return n, nil
	}
	which.Limit = engine.Statuses
	sums, err := r.Reasons(which)
	for _, sum := range sums {
		n += sum.Count
	}
	return n, err
}

// Reasons implements jobs.FailureStore.
func (s *Store) Reasons(ctx context.Context, jobID string, q jobs.FailureQuery, limit int) (list []jobs.ReasonCount, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		_, j, err := findJob(r, jobID)
		if err != nil {
			return err
		}
		which := endedQuery(j.Row, &q)
		which.Limit = limit
		counts, err := r.Reasons(which)
		list = make([]jobs.ReasonCount, len(counts))
		for i, c := range counts {
			list[i] = jobs.ReasonCount{Status: jobs.Status(c.Status), Reason: c.Reason, Count: c.Count}
		}
		return err
	})
	return list, err
}
