package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
)

// StormOptions configure a storm.
type StormOptions struct {
	Seed       uint64
	Operations int // of each worker
	// Faults, if not nil, turns the engine's faults on and off. With faults, a change may return jobs.ErrUnavailable whether or
	// not it was made.
	Faults func(on bool)
}

// Storm lets operators and devices do random operations concurrently, while the service works in small chunks with a fast
// clock. At the end it checks what must hold in any order of operations: counts match the executions, devices see what is
// stored, canceled and completed jobs have no work left, and no thing was left out.
func Storm(t *testing.T, e Engine, o StormOptions) {
	s := &storm{suite: newSuite(t, e)}
	s.serve()
	s.clock.Store(start.UnixMilli())
	s.faulty = o.Faults != nil
	slow := s.service.Events().Subscribe(1, nil) // a subscriber that never reads
	defer slow.Close()
	for i := range stormGroups {
		s.group(fmt.Sprint("g", i), stormParent(fmt.Sprint("g", i)))
	}
	if s.faulty {
		o.Faults(true)
	}
	var working, stepping sync.WaitGroup
	stop := make(chan struct{})
	stepping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			s.clock.Add(2500)
			s.expect(s.service.Driver().Tick(bg, s.time()))
		}
	})
	for i := range stormWorkers {
		working.Go(func() {
			w := &stormWorker{storm: s, rand: rand.New(rand.NewPCG(o.Seed, uint64(i)))}
			for range o.Operations {
				w.operation()
			}
		})
	}
	working.Wait()
	close(stop)
	stepping.Wait()
	if s.faulty {
		o.Faults(false)
	}
	for range 40 { // let slow rollouts complete, and executions in progress time out
		s.clock.Add((10 * time.Minute).Milliseconds())
		for range 3 {
			s.OK(s.service.Driver().Tick(bg, s.time()))
			s.clock.Add((10 * time.Second).Milliseconds())
		}
	}
	s.check()
	s.reopen()
	s.serve()
	s.check()
}

const (
	stormThings  = 40
	stormGroups  = 4
	stormJobs    = 6
	stormWorkers = 8
	stormChunk   = 3
)

// stormParent puts the last group under the first.
func stormParent(group string) string {
	if group == fmt.Sprint("g", stormGroups-1) {
		return "g0"
	}
	return ""
}

type storm struct {
	*suite
	service *operations.Service
	faulty  bool         // changes may return jobs.ErrUnavailable
	clock   atomic.Int64 // milliseconds
	deleted sync.Map     // names of groups that were deleted (and may exist again), and of executions, as thing and job
}

func (s *storm) serve() {
	var err error
	s.service, err = operations.New(operations.Config{
		Store: s.Store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}, Limits: operations.Limits{ChunkSize: stormChunk},
	})
	s.OK(err)
}

func (s *storm) time() time.Time { return time.UnixMilli(s.clock.Load()).UTC() }

// expect accepts the errors that a concurrent operation can cause.
func (s *storm) expect(err error) {
	for _, kind := range []error{
		nil, jobs.ErrNotFound, jobs.ErrAlreadyExists, jobs.ErrInvalidStateTransition, jobs.ErrVersionConflict,
		jobs.ErrInvalidRequest, jobs.ErrTerminalState, jobs.ErrLimitExceeded, jobs.ErrConflict,
	} {
		if errors.Is(err, kind) {
			return
		}
	}
	if s.faulty && errors.Is(err, jobs.ErrUnavailable) {
		return
	}
	s.Error(err)
}

type stormWorker struct {
	*storm
	rand *rand.Rand
}

func (w *stormWorker) thing() string     { return fmt.Sprint("t", w.rand.IntN(stormThings)) }
func (w *stormWorker) group() string     { return fmt.Sprint("g", w.rand.IntN(stormGroups)) }
func (w *stormWorker) job() string       { return fmt.Sprint("j", w.rand.IntN(stormJobs)) }
func (w *stormWorker) chance(p int) bool { return w.rand.IntN(100) < p }
func (w *stormWorker) target() (t jobs.Target) {
	if w.chance(80) {
		return jobs.Target{Group: true, Name: w.group()}
	}
	return jobs.Target{Name: w.thing()}
}

func (w *stormWorker) operation() {
	now := w.time()
	switch n := w.rand.IntN(100); {
	case n < 6:
		_, err := w.service.CreateThing(bg, now, jobs.CreateThingRequest{Name: w.thing()})
		w.expect(err)
	case n < 7:
		w.expect(w.service.DeleteThing(bg, now, w.thing(), 0))
	case n < 8:
		group := w.group()
		if w.chance(20) {
			w.deleted.Store(group, true)
			w.expect(w.service.DeleteGroup(bg, now, group, 0))
		}
		_, err := w.service.CreateGroup(bg, now, jobs.CreateGroupRequest{Name: group, Parent: stormParent(group)})
		w.expect(err)
	case n < 16:
		w.expect(w.service.AddToGroup(bg, now, jobs.MemberRequest{Thing: w.thing(), Group: w.group()}))
	case n < 20:
		w.expect(w.service.RemoveFromGroup(bg, now, jobs.MemberRequest{Thing: w.thing(), Group: w.group()}))
	case n < 24:
		w.create(now)
	case n < 25:
		_, err := w.service.CancelJob(bg, now, jobs.CancelJobRequest{ID: w.job(), Force: w.chance(50)})
		w.expect(err)
	case n < 26:
		w.expect(w.service.UpdateJob(bg, now, jobs.UpdateJobRequest{ID: w.job(), Settings: jobs.Settings{
			Rollout: &jobs.RolloutConfig{MaximumPerMinute: 30 + w.rand.Int64N(900)},
		}}))
	case n < 28:
		w.expect(w.service.DeleteJob(bg, now, jobs.DeleteJobRequest{ID: w.job(), Force: w.chance(40)}))
	case n < 30:
		_, err := w.service.AssociateTargets(bg, now, jobs.AssociateTargetsRequest{
			ID: w.job(), Targets: []string{w.service.Names().TargetARN(w.target())},
		})
		w.expect(err)
	case n < 32:
		w.expect(w.service.CancelExecution(bg, now, jobs.CancelExecutionRequest{Thing: w.thing(), JobID: w.job(), Force: w.chance(50)}))
	case n < 33:
		thing, job := w.thing(), w.job()
		w.deleted.Store(thing+" "+job, true)
		w.expect(w.service.DeleteExecution(bg, now, jobs.DeleteExecutionRequest{
			Thing: thing, JobID: job, Number: 1 + w.rand.Int64N(2), Force: w.chance(50),
		}))
	case n < 60:
		_, _, err := w.service.StartNext(bg, now, jobs.StartNextRequest{Thing: w.thing(), StepMinutes: w.rand.Int64N(3)})
		w.expect(err)
	default:
		status := []jobs.Status{jobs.InProgress, jobs.Succeeded, jobs.Failed, jobs.Rejected}[w.rand.IntN(4)]
		_, err := w.service.Update(bg, now, jobs.UpdateExecutionRequest{Thing: w.thing(), JobID: w.job(), Status: status})
		w.expect(err)
	}
}

func (w *stormWorker) create(now time.Time) {
	q := jobs.CreateJobRequest{
		ID: w.job(), Document: "{}", Selection: jobs.Snapshot, Targets: []string{w.service.Names().TargetARN(w.target())},
	}
	q.Timeout = &jobs.TimeoutConfig{InProgressTimeoutInMinutes: 1 + w.rand.Int64N(9)}
	if w.chance(60) {
		q.Selection = jobs.Continuous
	}
	if w.chance(40) {
		q.Rollout = &jobs.RolloutConfig{MaximumPerMinute: 30 + w.rand.Int64N(900)}
	}
	if w.chance(40) {
		q.Retry = &jobs.RetryConfig{CriteriaList: []jobs.RetryCriteria{{FailureType: jobs.FailureAll, NumberOfRetries: 2}}}
	}
	if w.chance(20) {
		q.Abort = &jobs.AbortConfig{CriteriaList: []jobs.AbortCriteria{{
			FailureType: jobs.FailureAll, Action: jobs.ActionCancel, ThresholdPercentage: 60, MinNumberOfExecutedThings: 5,
		}}}
	}
	if w.chance(20) {
		q.Scheduling = &jobs.SchedulingConfig{
			EndTime:     now.Add(32 * time.Minute).Format(jobs.TimeFormat),
			EndBehavior: []string{jobs.EndStopRollout, jobs.EndCancel, jobs.EndForceCancel}[w.rand.IntN(3)],
		}
	}
	_, err := w.service.CreateJob(bg, now, q)
	w.expect(err)
}

// check checks the whole store.
func (s *storm) check() {
	s.Helper()
	list, _, err := s.Jobs(bg, jobs.JobQuery{}, jobs.Page{Limit: 100})
	s.OK(err)
	var totals jobs.Counts
	pending := make(map[string]map[string]jobs.Execution)
	for _, listed := range list {
		j, p := listed.Job, s.progress(listed.Job.ID)
		executions, _, err := s.OfJob(bg, j.ID, jobs.ExecutionQuery{}, jobs.Page{Limit: stormThings + 1})
		s.OK(err)
		var counts jobs.Counts
		for _, e := range executions {
			counts[e.Status]++
			totals[e.Status]++
			if !e.Status.Terminal() {
				if pending[e.Thing] == nil {
					pending[e.Thing] = make(map[string]jobs.Execution)
				}
				pending[e.Thing][j.ID] = e
			}
		}
		if p.Counts != counts {
			s.Errorf("job %s counts %v, its executions are %v", j.ID, p.Counts, counts)
		}
		s.checkJob(j, &p, executions)
	}
	have, err := s.Totals(bg)
	s.OK(err)
	s.same("totals", have, totals)
	for i := range stormThings {
		name := fmt.Sprint("t", i)
		shown, err := s.Pending(bg, nil, name)
		if errors.Is(err, jobs.ErrNotFound) {
			err = nil
		}
		s.OK(err)
		if len(shown) != len(pending[name]) {
			s.Errorf("%s has %v pending, but sees %v", name, pending[name], shown)
		}
		for _, e := range shown {
			if is := pending[name][e.Job.ID]; State(&is) != State(&e) || is.Job.Version != e.Job.Version {
				s.Errorf("%s sees %s as %s, stored is %s", name, e.Job.ID, State(&e), State(&is))
			}
		}
	}
}

// checkJob checks that a job has no work left, and that its rollout left nothing out.
func (s *storm) checkJob(j *jobs.Job, p *jobs.Progress, executions []jobs.Execution) {
	s.Helper()
	switch waits, runs := p.Counts[jobs.Queued], p.Counts[jobs.InProgress]; {
	case j.Sweep != jobs.SweepNone || j.Status == jobs.JobDeleting || j.Status == jobs.JobScheduled:
		s.Errorf("job %s is still %s, sweep %d", j.ID, j.Status, j.Sweep)
	case runs > 0:
		s.Errorf("job %s has %d executions that should have timed out", j.ID, runs)
	case j.Status.Terminal() && waits > 0:
		s.Errorf("job %s is %s, but has %d queued executions", j.ID, j.Status, waits)
	case !j.Status.Terminal() && waits == 0 && (j.Selection == jobs.Snapshot || j.Ended):
		s.Errorf("job %s is %s, but has no work left: %+v", j.ID, j.Status, p)
	case !j.Status.Terminal() && !j.Stopped && !p.Done:
		s.Errorf("the rollout of job %s has not ended: %+v", j.ID, p)
	}
	if j.Status.Terminal() || j.Stopped || j.Selection != jobs.Continuous {
		return
	}
	has := make(map[string]jobs.Status)
	for _, e := range executions {
		has[e.Thing] = e.Status
	}
	for _, target := range j.Targets {
		if _, deleted := s.deleted.Load(target.Name); deleted || !target.Group {
			continue
		}
		members, _, err := s.Members(bg, target.Name, true, jobs.Page{Limit: stormThings + 1})
		s.OK(err)
		for _, thing := range members {
			_, deleted := s.deleted.Load(thing + " " + j.ID)
			if status, ok := has[thing]; !deleted && (!ok || status == jobs.Removed) {
				s.Errorf("job %s left out %s: %v %s, %+v", j.ID, thing, ok, status, p)
			}
		}
	}
}
