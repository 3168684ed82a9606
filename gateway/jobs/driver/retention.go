package driver

import (
	"context"
	"fmt"
	"time"

	"jobgate/gateway/jobs"
)

// How often the driver looks for jobs past their retention, how many it deletes at once, and how many jobs it reads in one
// query.
const (
	retainEvery    = 30 * time.Second
	retainDeleting = 10
	retainPage     = 100
)

// retain starts deleting jobs that ended longer ago than the retention, a few at a time. As with any deletion, executions
// are removed in chunks. A job with executions in progress, left by a cancellation without force, is kept until they end.
func (d *Driver) retain(ctx context.Context, now time.Time) (worked bool, err error) {
	if d.retention <= 0 || (now.Sub(d.retained) < retainEvery && !now.Before(d.retained)) {
		return false, nil
	}
	old, busy, err := d.ended(ctx, now.Add(-d.retention))
	if err != nil {
		return false, fmt.Errorf("cannot list jobs whose retention has passed: %w", err)
	}
	for _, j := range old {
		if err := d.expire(ctx, now, j); err != nil {
			return worked, fmt.Errorf("cannot delete job %q, whose retention has passed: %w", j.ID, err)
		}
		worked = true
	}
	if !worked && !busy { // otherwise the next round looks for more
		d.retained = now
	}
	return worked, nil
}

// ended returns some of the jobs that ended before t. busy says that the maximum number is being deleted already.
func (d *Driver) ended(ctx context.Context, t time.Time) (old []*jobs.Job, busy bool, err error) {
	active, err := d.store.ActiveJobs(ctx)
	if err != nil {
		return nil, false, err
	}
	room := retainDeleting
	for _, j := range active {
		if j.Status == jobs.JobDeleting {
			room--
		}
	}
	page := jobs.Page{Limit: retainPage}
	for room > 0 {
		list, next, err := d.store.Jobs(ctx, jobs.JobQuery{EndedBefore: t}, page)
		if err != nil {
			return nil, false, err
		}
		for i := range list {
			j, counts := list[i].Job, &list[i].Progress.Counts
			if j.Status.Terminal() && j.Sweep == jobs.SweepNone && counts.Pending() == 0 && len(old) < room {
				old = append(old, j)
			}
		}
		if page.After = next; next == "" || len(old) == room {
			break
		}
	}
	return old, room <= 0, nil
}

// expire begins to delete a job.
func (d *Driver) expire(ctx context.Context, now time.Time, j *jobs.Job) error {
	next := *j
	next.Status, next.Sweep, next.Stopped = jobs.JobDeleting, jobs.SweepDelete, true
	next.Version, next.UpdatedAt = j.Version+1, now
	deleting, err := d.store.SwapJob(ctx, next)
	if err != nil { // e.g. a concurrent change, or a retry reads from it
		return ignoreRace(err)
	}
	d.log.Info("jobs: retention has passed, the job is deleted", "job", j.ID, "ended", j.CompletedAt)
	d.documents.Forget(j.ID)
	d.publish.Job(jobs.EventJobDeleting, deleting, &jobs.Counts{}, now)
	d.Schedule(j.ID)
	return nil
}
