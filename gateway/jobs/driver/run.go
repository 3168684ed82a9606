package driver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"jobgate/gateway/jobs"
)

// Run drives timers, rollouts and sweeps until ctx ends. It logs errors and retries; every step is stored before the next
// begins. If several processes share the store, the leader drives and the others stand by.
func (d *Driver) Run(ctx context.Context) {
	if d.shared {
		var following sync.WaitGroup
		defer following.Wait()
		following.Go(func() { d.follow(ctx) })
	}
	defer d.resign()
	for ctx.Err() == nil {
		if !d.leads(ctx) {
			continue
		}
		d.prune(ctx, time.Now())
		worked, err := d.Round(ctx, time.Now())
		if err != nil && ctx.Err() == nil {
			d.log.Error("jobs: cannot take a step", "error", err)
			worked = false
		}
		if !worked {
			d.pause(ctx, d.scheduler.next())
		}
	}
}

// leads reports whether this process drives; if not, it returns when it is time to try again.
func (d *Driver) leads(ctx context.Context) bool {
	leads, again, err := d.store.Lead(ctx)
	if err != nil && ctx.Err() == nil {
		d.log.Warn("jobs: cannot acquire or renew the leader's lease", "error", err)
	}
	if d.leading.Store(leads); leads {
		return true
	}
	d.scheduler.take(time.Now()) // discard it: another process does the work
	select {
	case <-ctx.Done():
	case <-time.After(max(again, gatherFor)):
	}
	d.scheduler.markAllDue() // in case this process leads next
	return false
}

// resign hands over at the end of Run.
func (d *Driver) resign() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := d.store.Resign(ctx); err != nil && !errors.Is(err, jobs.ErrClosed) {
		d.log.Warn("jobs: cannot hand over to another gateway at once", "error", err)
	}
	d.leading.Store(false)
}

// Leads reports whether this process currently drives timers, rollouts and sweeps, for metrics.
func (d *Driver) Leads() bool { return d.leading.Load() }

// pause waits until t, or until something is scheduled, and at least for gatherFor, so that a thousand reports cause one
// check of their job.
func (d *Driver) pause(ctx context.Context, t time.Time) {
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	timer.Reset(max(0, time.Until(t)))
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-d.scheduler.kick:
	}
}

// Tick takes all steps due at now. It replaces Run in tests and tools with their own clock; do not use both.
func (d *Driver) Tick(ctx context.Context, now time.Time) error {
	for {
		d.scheduler.markAllDue()
		worked, err := d.Round(ctx, now)
		if err != nil || !worked {
			return err
		}
	}
}

// Round takes one step of everything due: a chunk of time-outs, a chunk of group deletions, a chunk of each job's work. So
// no job waits for another to finish, or for one whose step fails, which is retried a second later. It returns the first
// error.
func (d *Driver) Round(ctx context.Context, now time.Time) (worked bool, err error) {
	now = jobs.Stored(now)
	done := func(did bool, failure error) {
		worked = worked || did
		if err == nil {
			err = failure
		}
	}
	done(d.timeOut(ctx, now))
	done(d.retain(ctx, now))
	ids, groups, all := d.scheduler.take(now)
	if all {
		active, failure := d.allJobs(ctx, ids)
		ids = active
		done(false, failure)
	}
	if groups {
		done(d.SweepGroups(ctx, now))
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return worked, ctx.Err()
		}
		stepped, failure := d.drive(ctx, now, id)
		if failure != nil {
			d.scheduler.later(id, now.Add(time.Second))
		}
		done(stepped, failure)
	}
	return worked, err
}

// allJobs appends the active jobs that are not in ids.
func (d *Driver) allJobs(ctx context.Context, ids []string) ([]string, error) {
	have := make(map[string]bool, len(ids))
	for _, id := range ids {
		have[id] = true
	}
	active, err := d.store.ActiveJobs(ctx)
	if err != nil {
		return ids, fmt.Errorf("cannot list active jobs: %w", err)
	}
	for _, j := range active {
		if !have[j.ID] {
			ids = append(ids, j.ID)
		}
	}
	return ids, nil
}

// beginSteps bounds the steps that Begin takes at once.
const beginSteps = 16

// Begin takes a job's next step at once, and leaves the others to Run. Run also retries failures.
func (d *Driver) Begin(ctx context.Context, now time.Time, jobID string) {
	for i := range beginSteps {
		stepped := false
		j, p, err := d.store.State(ctx, jobID)
		if err == nil && i > 0 && chunked(j, &p) {
			break
		}
		if err == nil {
			stepped, err = d.step(ctx, now, j, p)
		}
		if ignoreRace(err) != nil {
			d.log.Warn("jobs: cannot take a step", "job", jobID, "error", err)
		}
		if err != nil || !stepped {
			break
		}
	}
	d.Schedule(jobID)
}

// chunked reports whether a job has chunks of work to do.
func chunked(j *jobs.Job, p *jobs.Progress) bool {
	return j.Filling || (j.Sweep != jobs.SweepNone && !p.Swept) || (j.Queues() && !p.Done && p.Started)
}

// ignoreRace drops the errors of conflicts with another step.
func ignoreRace(err error) error {
	if errors.Is(err, jobs.ErrVersionConflict) || errors.Is(err, jobs.ErrNotFound) || errors.Is(err, jobs.ErrInvalidStateTransition) {
		return nil
	}
	return err
}
