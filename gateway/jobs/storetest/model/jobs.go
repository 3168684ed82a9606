package model

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"jobgate/gateway/jobs"
)

// createJob creates a job with random configurations.
func (r *run) createJob() {
	j := &modelJob{}
	j.ID, j.Selection = r.job(), jobs.Snapshot
	if r.chance(50) {
		j.Selection = jobs.Continuous
	}
	q := jobs.CreateJobRequest{ID: j.ID, Selection: j.Selection, Document: "{}"}
	q.Targets, j.Targets = r.targets()
	r.settings(&q.Settings)
	if r.chance(30) {
		q.Scheduling = r.scheduling()
	}
	j.Timeout, j.Retry, j.Abort, j.Rollout, j.Scheduling = q.Timeout, q.Retry, q.Abort, q.Rollout, q.Scheduling
	j.limited = j.Rollout != nil
	r.log("createJob %s %s %v timeout %+v retry %+v abort %+v rollout %+v scheduling %+v",
		j.ID, j.Selection, j.Targets, q.Timeout, q.Retry, q.Abort, q.Rollout, q.Scheduling)
	_, err := r.service.CreateJob(bg, r.model.now, q)
	r.ok("CreateJob", err, r.model.createJob(j))
}

func (r *run) targets() (arns []string, targets []jobs.Target) {
	for range 1 + r.rand.IntN(3) {
		t := jobs.Target{Name: r.thing()}
		if r.chance(70) {
			t = jobs.Target{Group: true, Name: r.group()}
		}
		if !slices.Contains(targets, t) {
			targets = append(targets, t)
			arns = append(arns, r.service.Names().TargetARN(t))
		}
	}
	return arns, targets
}

// updateJob changes some of a job's configurations.
func (r *run) updateJob() {
	q := jobs.UpdateJobRequest{ID: r.job()}
	r.settings(&q.Settings)
	if q.Retry != nil {
		q.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll}}}
	}
	if r.chance(10) {
		q.Rollout = &jobs.RolloutConfig{} // no limit any more
	}
	r.log("updateJob %s timeout %+v retry %+v abort %+v rollout %+v", q.ID, q.Timeout, q.Retry, q.Abort, q.Rollout)
	r.ok("UpdateJob", r.service.UpdateJob(bg, r.model.now, q), r.model.updateJob(&q))
}

func (r *run) settings(s *jobs.Settings) {
	if r.chance(40) && r.timers {
		s.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 1 + r.rand.Int64N(200)}
	}
	switch r.rand.IntN(4) {
	case 0:
		s.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: r.rand.Int64N(4)}}}
	case 1:
		s.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{
			{FailureType: jobs.FailureFailed, NumberOfRetries: r.rand.Int64N(3)},
			{FailureType: jobs.FailureTimedOut, NumberOfRetries: r.rand.Int64N(3)},
		}}
	}
	if r.chance(25) {
		kinds := []string{jobs.FailureAll, jobs.FailureFailed, jobs.FailureRejected, jobs.FailureTimedOut}
		s.Abort = &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{{
			FailureType: kinds[r.rand.IntN(4)], Action: jobs.ActionCancel,
			ThresholdPercentage: float64(20 + 10*r.rand.IntN(9)), MinNumberOfExecutedThings: 1 + r.rand.Int64N(4),
		}}}
	}
	switch r.rand.IntN(6) {
	case 0:
		s.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 1 + r.rand.Int64N(60)}
	case 1:
		by := jobs.RateIncreaseCriteria{NumberOfNotifiedThings: 1 + r.rand.Int64N(3)}
		if r.chance(50) {
			by = jobs.RateIncreaseCriteria{NumberOfSucceededThings: 1 + r.rand.Int64N(3)}
		}
		s.Rollout = &jobs.RolloutConfig{ExponentialRate: &jobs.ExponentialRate{
			BaseRatePerMinute: 1 + r.rand.Int64N(10), IncrementFactor: 2, RateIncreaseCriteria: by,
		}}
	}
}

func (r *run) scheduling() *jobs.SchedulingConfig {
	c := &jobs.SchedulingConfig{}
	from := r.model.now.Add(time.Minute)
	if r.chance(50) {
		from = from.Add(time.Duration(30+r.rand.IntN(600)) * time.Minute)
		c.StartTime = from.Format(jobs.TimeFormat)
	}
	if r.chance(50) {
		c.EndTime = from.Add(time.Duration(31+r.rand.IntN(2000)) * time.Minute).Format(jobs.TimeFormat)
		c.EndBehavior = []string{"", jobs.EndStopRollout, jobs.EndCancel, jobs.EndForceCancel}[r.rand.IntN(4)]
	}
	for range r.rand.IntN(3) {
		c.MaintenanceWindows = append(c.MaintenanceWindows, jobs.MaintenanceWindow{
			StartTime:         fmt.Sprintf("cron(%d %d * * ? *)", r.rand.IntN(60), r.rand.IntN(24)),
			DurationInMinutes: 1 + r.rand.Int64N(600),
		})
	}
	return c
}

func (r *run) cancelJob() {
	id, force := r.job(), r.chance(50)
	r.log("cancelJob %s force %v", id, force)
	_, err := r.service.CancelJob(bg, r.model.now, jobs.CancelJobRequest{ID: id, Force: force})
	r.ok("CancelJob", err, r.model.cancelJob(id, force))
}

func (r *run) deleteJob() {
	id, force := r.job(), r.chance(60)
	r.log("deleteJob %s force %v", id, force)
	err := r.service.DeleteJob(bg, r.model.now, jobs.DeleteJobRequest{ID: id, Force: force})
	r.ok("DeleteJob", err, r.model.deleteJob(id, force))
}

func (r *run) associate() {
	id := r.job()
	arns, targets := r.targets()
	r.log("associate %s %v", id, targets)
	_, err := r.service.AssociateTargets(bg, r.model.now, jobs.AssociateTargetsRequest{ID: id, Targets: arns})
	want := r.model.associate(id, targets)
	r.ok("AssociateTargets", err, want)
}

// rolled checks the executions that the service queued in a limited rollout, and queues them in the model. Only the job's
// targets without an execution may get one: as many as the rate allows, or fewer if no more are left.
func (r *run) rolled(j *modelJob, n int) bool {
	p, err := r.store.Progress(bg, j.ID)
	r.ok("Progress", err, nil)
	chosen := make(map[string]bool)
	for _, e := range r.executions(j.ID) {
		if mine := j.latest(e.Thing); mine == nil || mine.Number < e.Number {
			chosen[e.Thing] = true
		}
	}
	queued := 0
	for _, thing := range slices.Sorted(maps.Keys(chosen)) {
		if e := j.latest(thing); !r.model.targets(j, thing) || (e != nil && e.Status != jobs.Removed) {
			r.Fatalf("job %s rolled out to %s, which is not a target or has an execution", j.ID, thing)
		}
		if queued < n {
			r.model.queue(j, thing)
			queued++
		}
	}
	worked := queued > 0 || !j.started || j.done != (queued < n)
	j.started, j.queued = true, j.queued+int64(queued)
	j.pace = j.pace.Add(time.Duration(queued) * j.each)
	if queued == n && (queued < len(chosen) || !p.Done) {
		return worked
	}
	if j.done = p.Done; !j.done {
		r.Fatalf("job %s may roll out to %d, rolled out to %d, and is not done", j.ID, n, queued)
	}
	for thing := range r.model.things {
		if e := j.latest(thing); r.model.targets(j, thing) && !j.gone[thing] && (e == nil || e.Status == jobs.Removed) {
			r.Fatalf("job %s is rolled out but left out %s: allowed %d, chosen %v, %+v, pace %v", j.ID, thing, n, chosen, p, j.pace)
		}
	}
	return worked
}
