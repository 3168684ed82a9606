package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"jobgate/bench/report"
)

// ErrUnreachable means that no connection to the target could be opened.
var ErrUnreachable = errors.New("load: cannot reach the target")

// interruptGrace is how long an interrupted run waits for outstanding answers.
const interruptGrace = 500 * time.Millisecond

// run is a plan in execution.
type run struct {
	plan       *plan.Plan
	flows      []plan.CompiledFlow
	clock      clock
	end        time.Duration // of sending; math.MaxInt64 for a run by count
	hard       context.Context
	abort      context.CancelCauseFunc // of hard: closes all connections
	dialer     *dialer
	recorder   *recorder
	verifier   *answer.Verifier
	dispatcher *dispatcher // nil in a closed loop
	workers    []*worker
	tickets    atomic.Int64              // of a closed loop by count
	stopped    atomic.Pointer[time.Time] // when the run was interrupted
	cpu, wall  time.Duration             // that passed for the generator while it sent
}

// Run executes the plan. If the plan is valid it returns a result, with the measurements so far if ctx ends first; an error
// beside a result means that it is empty (ErrUnreachable). Run ends at most two timeouts and a little after the plan.
func Run(ctx context.Context, p *plan.Plan) (*report.Result, error) {
	r, target, err := prepare(p)
	if err != nil {
		return nil, err
	}
	defer r.abort(nil)
	if err := r.reach(ctx, target); err != nil {
		res := r.recorder.result()
		r.describe(res)
		if ctx.Err() != nil {
			res.Interrupted = true // before the first connection was open
			return res, nil
		}
		res.Counts.Intended, res.Counts.Failed = 1, 1
		res.Errors = []report.Error{{Kind: answer.ConnectKind(err).String(), Count: 1, Example: answer.Example(err)}}
		return res, fmt.Errorf("%w %s: %w", ErrUnreachable, target.Host, err)
	}
	if err := r.play(ctx); err != nil {
		return nil, err
	}
	res := r.recorder.result()
	r.finish(res, ctx.Err() != nil)
	return res, nil
}

// prepare checks and compiles the plan.
func prepare(p *plan.Plan) (*run, *url.URL, error) {
	if err := p.Validate(); err != nil {
		return nil, nil, err
	}
	target, err := p.Target()
	if err != nil {
		return nil, nil, err
	}
	flows, operations, err := p.Compile(target.Host)
	if err != nil {
		return nil, nil, err
	}
	r := &run{plan: p, flows: flows, end: math.MaxInt64}
	if p.Duration > 0 {
		r.end = p.Warmup + p.Duration
	}
	r.hard, r.abort = context.WithCancelCause(context.Background())
	r.recorder = newRecorder(p, operations)
	if p.Open() {
		r.recorder.planned = plan.NewDueCounter(p.Schedule(), p.Warmup, r.end, p.MaxArrivals())
	}
	return r, target, nil
}

// reach resolves the target and opens one connection to it, so that a wrong address or
// certificate is an error at once.
func (r *run) reach(ctx context.Context, target *url.URL) error {
	var err error
	if r.dialer, err = newDialer(ctx, r.plan, target); err != nil {
		return err
	}
	first := newWorker(r, 0)
	if err := first.connect(ctx, 0); err != nil {
		return err
	}
	r.clock = newClock()
	r.workers = append(r.workers, first)
	return nil
}

// play opens the connections, runs the loop to its end and waits for the answers.
func (r *run) play(ctx context.Context) error {
	for id := 1; id < r.plan.Connections; id++ {
		r.workers = append(r.workers, newWorker(r, id))
	}
	defer context.AfterFunc(ctx, func() {
		now := time.Now()
		r.stopped.Store(&now)
		time.AfterFunc(interruptGrace, r.interrupt)
	})()
	r.connectAll(ctx)
	r.clock = newClock()
	for _, w := range r.workers {
		if w.conn != nil {
			w.conn.opened = 0
		}
	}
	r.verifier = answer.NewVerifier(r.hard, r.plan.Verify)
	defer r.verifier.Close()
	measured := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { r.watch(measured) })
	err := r.loop(ctx)
	close(measured)
	watch.Wait()
	return err
}

// interrupt closes all connections, so that no worker waits for an answer.
func (r *run) interrupt() {
	r.abort(errInterrupted)
	for _, w := range r.workers {
		if c := w.current.Load(); c != nil {
			_ = c.nc.Close() // its worker sees the error
		}
	}
}

// connectAll opens the other workers' connections, 64 at a time. One that fails is
// tried again with its worker's first request, which then counts the failure; after 64
// such ones the others are left to that too.
func (r *run) connectAll(ctx context.Context) {
	slots := make(chan struct{}, 64)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for _, w := range r.workers[1:] {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() == nil && failed.Load() < 64 {
				failed.Add(b2i(w.connect(r.hard, 0) != nil))
			}
		})
	}
	wg.Wait()
}

// loop runs the workers and, in an open loop, the dispatcher.
func (r *run) loop(ctx context.Context) error {
	var wg sync.WaitGroup
	if !r.plan.Open() {
		for i, w := range r.workers {
			c := newChooser(r, i, len(r.workers))
			wg.Go(func() { w.runFlows(ctx, c) })
		}
		wg.Wait()
		r.closeAll()
		return nil
	}
	d, err := newDispatcher(r)
	if err != nil {
		return err
	}
	r.dispatcher = d
	for _, w := range r.workers {
		wg.Go(func() { w.serve(d) })
	}
	missed, err := d.dispatch(ctx)
	if ctx.Err() != nil {
		r.recorder.fail(answer.Abandoned, missed, errInterrupted)
	} else {
		r.recorder.fail(answer.Unsent, missed, errUnsent)
	}
	wg.Wait()
	d.timer.Close()
	r.closeAll()
	return err
}

func (r *run) closeAll() {
	for _, w := range r.workers {
		if w.conn != nil {
			w.drop()
		}
	}
}

// serve sends the dispatcher's arrivals.
func (w *worker) serve(d *dispatcher) {
	for {
		a, ok := w.next(d)
		if !ok {
			return
		}
		next, more := w.do(a)
		if more || len(w.run.flows[a.flow].Steps) > 1 {
			d.later(next, more)
		}
	}
}

// runFlows runs one flow after another until the run is over: a closed loop.
func (w *worker) runFlows(ctx context.Context, c *chooser) {
	for ctx.Err() == nil {
		now := w.run.clock.now()
		if now >= w.run.end || w.run.plan.Count > 0 && now >= w.run.plan.Warmup && w.run.tickets.Add(1) > w.run.plan.Count {
			return
		}
		a := c.arrival(now)
		for more := true; more; {
			if a, more = w.do(a); more && !w.pause(ctx, a.due) {
				return
			}
			if more {
				a.due = w.run.clock.now()
			}
		}
		// The target cannot be reached: do not spin.
		if w.connectFailed && !w.run.pause(ctx, w.free+10*time.Millisecond) {
			return
		}
	}
}

// pause waits until due; it returns false when the run is over before that.
func (r *run) pause(ctx context.Context, due time.Duration) bool {
	if due >= r.end {
		return false
	}
	t := time.NewTimer(due - r.clock.now())
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// countDue counts a request of an open loop's measured part; follows: it is a later step of a flow.
func (r *run) countDue(due time.Duration, follows bool) {
	if !r.plan.Open() || due < r.plan.Warmup {
		return
	}
	r.recorder.due.Add(1)
	if follows {
		r.recorder.follow.Add(1)
	}
}

// record adds a sample, unless it failed because the run was interrupted.
func (r *run) record(worker int, s *sample) {
	if s.kind != answer.Good && r.hard.Err() != nil {
		s.kind = answer.Abandoned
	}
	r.recorder.record(worker, s)
}
