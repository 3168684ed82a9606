package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/storetest"
)

// Options configure a run.
type Options struct {
	Seed       uint64 // the same seed repeats the operations
	Operations int
	// Chunk is how many things the service handles in one step; 0: all. With small chunks, rollouts, cancellations and
	// deletions take many steps. Then nothing times out, because in the model all time-outs are one step.
	Chunk int
}

// Run does random operations on a service over an engine and on a model. It compares their answers after each operation, and
// all their data once in a while.
func Run(t *testing.T, e storetest.Engine, o Options) {
	r := &run{
		T: t, open: e.New(t), rand: rand.New(rand.NewPCG(o.Seed, 7)), model: newModel(), seen: make(map[string]int),
		timers: o.Chunk == 0,
	}
	if r.model.chunk = o.Chunk; r.timers {
		r.model.chunk = 1000
	}
	r.start()
	defer func() {
		if r.Failed() {
			r.Logf("seed %d, after %d operations: %s", o.Seed, len(r.done), r.done[max(0, len(r.done)-12):])
		}
		_ = r.store.Close()
	}()
	operations := o.Operations
	for i := range operations {
		r.operation()
		r.ok("Tick", r.service.Driver().Tick(bg, r.model.now), nil)
		r.model.tick(r.rolled)
		if i%20 == 0 || i == operations-1 {
			r.compare()
		}
		if i%restartEvery == restartEvery-1 {
			r.ok("Close", r.store.Close(), nil)
			r.start()
			r.compare()
		}
	}
	if operations >= fullTour {
		r.checkSeen()
	}
}

const (
	restartEvery = 5000
	fullTour     = 20_000 // operations after which every state must have occurred
)

var bg = context.Background()

// run is a run in progress.
type run struct {
	*testing.T
	open    storetest.Opener
	store   jobs.Store
	service *operations.Service
	rand    *rand.Rand
	model   *model
	done    []string
	seen    map[string]int // states that were compared
	timers  bool           // executions may time out
}

// How many names operations choose from: few, so that operations often meet the same ones.
const (
	modelThings = 12
	modelGroups = 6
	modelJobs   = 8
)

func (r *run) start() {
	var err error
	if r.store, err = r.open(); err != nil {
		r.Fatal(err)
	}
	r.service, err = operations.New(operations.Config{
		Store: r.store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}, Limits: operations.Limits{ChunkSize: r.model.chunk},
	})
	if err != nil {
		r.Fatal(err)
	}
}

// ok compares the kind of an error with the model's.
func (r *run) ok(what string, err, kind error) {
	r.Helper()
	if (kind == nil && err != nil) || (kind != nil && !errors.Is(err, kind)) {
		r.Fatalf("%s: error is %v, the model's %v", what, err, kind)
	}
}

func (r *run) log(format string, args ...any) {
	r.done = append(r.done, fmt.Sprintf("\n%s ", r.model.now.Format("02 15:04:05"))+fmt.Sprintf(format, args...))
}

func (r *run) chance(percent int) bool { return r.rand.IntN(100) < percent }
func (r *run) thing() string           { return fmt.Sprint("t", r.rand.IntN(modelThings)) }
func (r *run) group() string           { return fmt.Sprint("g", r.rand.IntN(modelGroups)) }
func (r *run) job() string             { return fmt.Sprint("j", r.rand.IntN(modelJobs)) }

// operation does a random operation.
func (r *run) operation() {
	operations := []struct {
		weight int
		do     func()
	}{
		{4, r.createThing},
		{1, r.updateThing},
		{1, r.deleteThing},
		{3, r.createGroup},
		{1, r.updateGroup},
		{1, r.deleteGroup},
		{10, r.changeGroups},
		{6, r.createJob},
		{3, r.updateJob},
		{2, r.cancelJob},
		{2, r.deleteJob},
		{2, r.associate},
		{20, r.startNext},
		{25, r.update},
		{3, r.cancelExecution},
		{3, r.deleteExecution},
		{13, r.advance},
	}
	n := r.rand.IntN(100)
	for _, o := range operations {
		if n -= o.weight; n < 0 {
			o.do()
			return
		}
	}
}

// advance advances the clock, mostly by little.
func (r *run) advance() {
	d := time.Duration(r.rand.IntN(90_000)) * time.Millisecond
	switch r.rand.IntN(10) {
	case 0, 1, 2:
		d = time.Duration(r.rand.IntN(90)) * time.Minute
	case 3:
		d = time.Duration(r.rand.IntN(36)) * time.Hour
	}
	r.log("advance %v", d)
	r.model.now = r.model.now.Add(d)
}

// deleteThing spares the direct targets of jobs that roll out: the model does not know whether the rollout has passed them.
func (r *run) deleteThing() {
	name := r.thing()
	for _, j := range r.model.jobs {
		if j.aim.direct[name] && j.running() && j.started {
			return
		}
	}
	r.log("deleteThing %s", name)
	r.ok("DeleteThing", r.service.DeleteThing(bg, r.model.now, name, 0), nil)
	r.model.deleteThing(name)
}

func (r *run) deleteGroup() {
	name := r.group()
	r.log("deleteGroup %s", name)
	r.ok("DeleteGroup", r.service.DeleteGroup(bg, r.model.now, name, 0), r.model.deleteGroup(name))
}

func (r *run) changeGroups() {
	thing := r.thing()
	var add, remove []string
	for range 1 + r.rand.IntN(2) {
		if r.chance(65) {
			add = append(add, r.group())
		} else {
			remove = append(remove, r.group())
		}
	}
	remove = slices.DeleteFunc(remove, func(g string) bool { return slices.Contains(add, g) })
	r.log("changeGroups %s +%v -%v", thing, add, remove)
	err := r.service.UpdateGroupsOfThing(bg, r.model.now, jobs.UpdateMembershipRequest{Thing: thing, Add: add, Remove: remove})
	r.ok("UpdateGroupsOfThing", err, r.model.changeGroups(thing, add, remove))
}

func (r *run) startNext() {
	thing, step := r.thing(), r.step()
	r.log("startNext %s step %d", thing, step)
	d, found, err := r.service.StartNext(bg, r.model.now, jobs.StartNextRequest{Thing: thing, StepMinutes: step})
	e, want := r.model.startNext(thing, step)
	r.ok("StartNext", err, want)
	if found != (e != nil) || (found && (d.Execution.Version != e.Version || d.Execution.Number != e.Number)) {
		r.Fatalf("StartNext returns %v %+v, the model %+v", found, d.Execution, e)
	}
}

// step returns a step timer in minutes; mostly none.
func (r *run) step() int64 {
	if r.chance(70) || !r.timers {
		return 0
	}
	return 1 + r.rand.Int64N(120)
}

// pair returns a thing and a job, mostly a pair with an execution.
func (r *run) pair() (thing, job string) {
	var pairs [][2]string
	for _, j := range r.model.sorted() {
		for _, thing := range slices.Sorted(maps.Keys(j.things)) {
			pairs = append(pairs, [2]string{thing, j.ID})
		}
	}
	if len(pairs) == 0 || r.chance(20) {
		return r.thing(), r.job()
	}
	p := pairs[r.rand.IntN(len(pairs))]
	return p[0], p[1]
}

func (r *run) update() {
	thing, job := r.pair()
	q := jobs.UpdateExecutionRequest{
		Thing: thing, JobID: job, StepMinutes: r.step(),
		Status: []jobs.Status{jobs.InProgress, jobs.InProgress, jobs.Succeeded, jobs.Failed, jobs.Failed, jobs.Rejected}[r.rand.IntN(6)],
	}
	if r.chance(10) {
		q.ExpectedVersion = 1 + r.rand.Int64N(4)
	}
	if r.chance(10) {
		q.StepMinutes = -1
	}
	if r.chance(30) {
		q.Details = map[string]string{"n": fmt.Sprint(r.rand.IntN(9))}
	}
	r.log("update %+v", q)
	_, err := r.service.Update(bg, r.model.now, q)
	r.ok("Update", err, r.model.update(&q))
}

func (r *run) cancelExecution() {
	thing, job := r.pair()
	force := r.chance(50)
	r.log("cancelExecution %s %s force %v", thing, job, force)
	err := r.service.CancelExecution(bg, r.model.now, jobs.CancelExecutionRequest{Thing: thing, JobID: job, Force: force})
	r.ok("CancelExecution", err, r.model.cancelExecution(thing, job, force))
}

func (r *run) deleteExecution() {
	thing, job := r.pair()
	number, force := 1+r.rand.Int64N(2), r.chance(50)
	r.log("deleteExecution %s %s#%d force %v", thing, job, number, force)
	err := r.service.DeleteExecution(bg, r.model.now, jobs.DeleteExecutionRequest{Thing: thing, JobID: job, Number: number, Force: force})
	r.ok("DeleteExecution", err, r.model.deleteExecution(thing, job, number, force))
}
