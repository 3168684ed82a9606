package rules

import (
	"context"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// eligible reports whether a job may be queued for a thing whose latest execution is past (nil: none). A thing gets another
// execution only if the latest was REMOVED, or has ended and the thing joins again.
func eligible(past *engine.Execution, joins bool) bool {
	if past == nil {
		return true
	}
	status := jobs.Status(past.Status)
	return status == jobs.Removed || (joins && status.Terminal())
}

// enqueue returns a thing's new execution, and the change that stores it.
func enqueue(j *jobs.Job, v engine.Visit, now time.Time) (jobs.Execution, engine.Change) {
	e := jobs.Execution{Thing: v.Name, ThingRow: v.Thing, Job: j, Number: 1, Version: 1, QueuedAt: now, UpdatedAt: now}
	if v.Found == nil {
		return e, engine.Change{Key: engine.Key{Job: j.Row, Thing: v.Thing}, New: row(&e)}
	}
	before := execution(v.Found, v.Name, j)
	e = before.Renew(now)
	c := change(&before, &e)
	c.Past = v.Found
	return e, c
}

// QueueChunk implements jobs.JobStore.
func (s *Store) QueueChunk(ctx context.Context, c jobs.QueueChunk) (result jobs.QueueResult, err error) {
	err = s.background(ctx, c.Limit, func(t engine.Tx) error {
		r := rollout{tx: t, c: &c, publish: s.shared}
		err := r.run()
		result = r.result
		if err == nil && r.publish {
			progress := jobs.NoticeJob(jobs.EventJobProgress, r.job, &result.Progress.Counts, c.Now)
			err = s.publish(t, append(jobs.NoticeExecutions(jobs.EventExecution, r.queued), progress)...)
		}
		return err
	})
	return result, err
}

// minScan is the minimum number of things a chunk examines: those that already have the job cost little.
const minScan = 256

// rollout is a chunk of a job's rollout. It walks through the targets; within a group, through the groups of its family by
// ID, and through the members of each by ID. Progress.Target, AtGroup and AtThing are its position.
type rollout struct {
	tx      engine.Tx
	c       *jobs.QueueChunk
	job     *jobs.Job
	state   engine.State
	walk    engine.Walk
	of      []int // the target of each stop
	result  jobs.QueueResult
	publish bool             // publish to the feed
	queued  []jobs.Execution // what was queued, if it is published
}

func (r *rollout) run() error {
	var err error
	if r.state, r.job, err = findJob(r.tx, r.c.JobID); err != nil {
		return err
	}
	p := &r.state.Progress
	switch {
	case p.Chunks != r.c.After:
		return jobs.Errorf(jobs.ErrVersionConflict, "Job %s has had chunk %d, expected was %d.", r.c.JobID, p.Chunks, r.c.After)
	case r.job.Status != jobs.JobInProgress || !r.job.Queues():
		return jobs.Errorf(jobs.ErrInvalidStateTransition, "Job %s is %s and queues nothing.", r.c.JobID, r.job.Status)
	}
	if err := r.route(); err != nil {
		return err
	}
	visits, err := r.tx.Walk(r.walk)
	if err != nil {
		return err
	}
	if err := apply(r.tx, r.take(visits)); err != nil {
		return err
	}
	p.Started, p.Pace = true, millis(r.c.Pace.Add(time.Duration(r.result.Queued)*r.c.Each))
	p.Chunks++
	p.Notified += int64(r.result.Queued)
	r.result.Progress = progressOf(p)
	return r.tx.PutProgress(r.state.Job.Seq, p)
}

// route plans the walk from where the last chunk ended.
func (r *rollout) route() error {
	p := &r.state.Progress
	left := r.state.Targets[min(p.Target, len(r.state.Targets)):]
	var roots []int64
	for _, goal := range left {
		if goal.Group {
			roots = append(roots, goal.ID)
		}
	}
	var families [][]int64
	if len(roots) > 0 {
		var err error
		if families, err = r.tx.Families(roots); err != nil {
			return err
		}
	}
	r.walk = engine.Walk{Job: r.job.Row, Names: r.c.Names || r.publish, Limit: max(r.c.Limit, minScan) + 1}
	if r.job.Selection == jobs.Snapshot && r.job.RetryOf == nil { // a retry's group is filled after its creation
		r.walk.BySerial, r.walk.Serial = true, r.state.Job.Serial
	}
	for i, goal := range left {
		if !goal.Group {
			r.stop(p.Target+i, goal)
			continue
		}
		family := families[0]
		families = families[1:]
		for _, id := range family {
			if i > 0 || id >= p.AtGroup {
				r.stop(p.Target+i, engine.Target{Group: true, ID: id})
			}
		}
	}
	if len(left) > 0 && left[0].Group && len(r.walk.Stops) > 0 && r.walk.Stops[0].ID == p.AtGroup {
		r.walk.After = p.AtThing
	}
	return nil
}

func (r *rollout) stop(target int, goal engine.Target) {
	r.walk.Stops, r.of = append(r.walk.Stops, goal), append(r.of, target)
}

// take selects the things that get the job, and updates the rollout's progress: done, if no eligible thing is left.
func (r *rollout) take(visits []engine.Visit) (changes []engine.Change) {
	p := &r.state.Progress
	var given map[int64]bool
	if len(r.walk.Stops) > 1 { // a thing may be in several groups
		given = make(map[int64]bool, len(visits))
	}
	for i := range visits {
		v := &visits[i]
		fits := eligible(v.Found, false) && !given[v.Thing]
		if fits && r.result.Queued == r.c.Limit {
			r.at(v.Stop, 0, p)
			return changes
		}
		r.at(v.Stop, v.Thing, p)
		if !fits {
			continue
		}
		if given != nil {
			given[v.Thing] = true
		}
		e, c := enqueue(r.job, *v, r.c.Now)
		changes = append(changes, c)
		if r.publish {
			r.queued = append(r.queued, e)
		}
		if v.Found != nil {
			p.Counts[v.Found.Status]--
		}
		p.Counts[jobs.Queued]++
		r.result.Queued++
		if r.c.Names {
			r.result.Things = append(r.result.Things, e.Thing)
		}
	}
	if len(visits) < r.walk.Limit {
		p.Done, p.Target, p.AtGroup, p.AtThing = true, len(r.state.Targets), 0, 0
	}
	return changes
}

// at moves the rollout to a stop. With thing 0 the position within the same stop is kept; in another stop it is before the
// first thing.
func (r *rollout) at(stop int, thing int64, p *engine.Progress) {
	goal, target := r.walk.Stops[stop], r.of[stop]
	if thing == 0 && target == p.Target && goal.ID == p.AtGroup {
		return
	}
	p.Target, p.AtGroup, p.AtThing = target, 0, 0
	if goal.Group {
		p.AtGroup, p.AtThing = goal.ID, thing
	} else if thing != 0 {
		p.Target++
	}
}
