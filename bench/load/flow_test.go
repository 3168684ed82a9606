package load

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"
)

// fleet is a target that gives every thing one job and records each thing's calls.
type fleet struct {
	mu    sync.Mutex
	calls map[string][]string
	times map[string][]time.Time
	empty atomic.Bool // no thing has a job
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // "", things, name, jobs, id
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.calls[parts[2]] = append(f.calls[parts[2]], fmt.Sprintf("%s %s %s", r.Method, parts[4], body))
	f.times[parts[2]] = append(f.times[parts[2]], time.Now())
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case f.empty.Load():
		_, _ = io.WriteString(w, `{}`)
	default:
		_, _ = fmt.Fprintf(w, `{"execution":{"jobId":"job-of-%s"}}`, parts[2])
	}
}

// life is a device's flow: start the next job, describe it, work, report its end.
func life(think time.Duration) plan.Flow {
	return plan.Flow{Name: "update", Weight: 1, Steps: []plan.Step{
		{Name: "start", Method: "PUT", Path: "/things/{thingName}/jobs/$next", Body: "{}", Capture: map[string]string{"jobId": "execution.jobId"}},
		{Name: "describe", Path: "/things/{thingName}/jobs/{jobId}"},
		{Name: "finish", Method: "POST", Path: "/things/{thingName}/jobs/{jobId}", Body: `{"status":"SUCCEEDED"}`, Think: think},
	}}
}

func TestFlows(t *testing.T) {
	t.Parallel()
	const think = 10 * time.Millisecond
	f := func(name string, change func(*plan.Plan)) {
		t.Run(name, func(t *testing.T) {
			fl := &fleet{calls: map[string][]string{}, times: map[string][]time.Time{}}
			p := openPlan(t, serve(t, fl.ServeHTTP), 200, 0)
			p.Flows = []plan.Flow{life(think)}
			p.Things = mustNames(t, "thing-", "100", plan.Sequential)
			p.Count, p.Duration = 100, 0
			change(p)
			res := mustRun(t, p)
			if res.Counts.Good != 300 || res.Counts.Failed != 0 {
				t.Errorf("%d good requests of 300: %v", res.Counts.Good, res.Errors)
			}
			for _, o := range res.Operations {
				if o.Good != 100 || o.Latency.Count() != 100 {
					t.Errorf("operation %s has %d good answers and %d latencies, want 100", o.Name, o.Good, o.Latency.Count())
				}
			}
			if n := res.Operations[2].Name; n != "update/finish" {
				t.Errorf("the third operation is %q, want \"update/finish\"", n)
			}
			fl.check(t, think)
		})
	}
	f("open", func(*plan.Plan) {})
	f("open, two connections", func(p *plan.Plan) { p.Connections = 2 })
	f("closed", func(p *plan.Plan) { p.Stages, p.Connections = nil, 1 })
}

func (f *fleet) check(t *testing.T, think time.Duration) {
	t.Helper()
	if len(f.calls) != 100 {
		t.Errorf("%d things called, want 100", len(f.calls))
	}
	for thing, calls := range f.calls {
		want := fmt.Sprintf("PUT $next {}|GET job-of-%s |POST job-of-%s {\"status\":\"SUCCEEDED\"}", thing, thing)
		if got := strings.Join(calls, "|"); got != want {
			t.Errorf("%s called %q, want %q", thing, got, want)
			continue
		}
		if pause := f.times[thing][2].Sub(f.times[thing][1]); pause < think {
			t.Errorf("%s has a think time of %s, want %s", thing, pause, think)
		}
	}
}

// A missing captured value ends the flow, and the steps left are counted as skipped.
func TestFlowWithoutCapture(t *testing.T) {
	t.Parallel()
	fl := &fleet{calls: map[string][]string{}, times: map[string][]time.Time{}}
	fl.empty.Store(true)
	p := openPlan(t, serve(t, fl.ServeHTTP), 200, 0)
	p.Flows = []plan.Flow{life(0)}
	p.Count, p.Duration = 50, 0
	res := mustRun(t, p)
	if c := res.Counts; c.Good != 50 || c.Skipped != 100 || c.Failed != 0 {
		t.Errorf("%d good, %d skipped, %d failed; want 50, 100 and 0", c.Good, c.Skipped, c.Failed)
	}
}

// A failed step ends its flow.
func TestFlowEndsWithFailure(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, `{"execution":{"jobId":"j"}}`)
	})
	p := openPlan(t, url, 200, 0)
	p.Flows = []plan.Flow{life(0)}
	p.Count, p.Duration = 50, 0
	res := mustRun(t, p)
	if c := res.Counts; c.Good != 50 || c.Failed != 50 || failures(res, answer.WrongStatus) != 50 {
		t.Errorf("%d good, %d failed: %v; want 50 of each", c.Good, c.Failed, res.Errors)
	}
}

func TestMix(t *testing.T) {
	t.Parallel()
	p := openPlan(t, serve(t, answerJSON), 4000, 500*time.Millisecond)
	p.Connections = 64
	p.Flows = []plan.Flow{
		{Name: "poll", Weight: 3, Steps: []plan.Step{{Path: "/a"}}},
		{Name: "other", Weight: 1, Steps: []plan.Step{{Path: "/b"}}},
	}
	res := mustRun(t, p)
	if len(res.Operations) != 2 || res.Operations[0].Name != "poll" {
		t.Fatalf("the operations are %+v", res.Operations)
	}
	if n := res.Operations[0].Good; n < 1380 || n > 1620 {
		t.Errorf("%d of 2000 requests were of the flow with three quarters of the weight, want about 1500", n)
	}
}

// A device's think time does not delay the end of the run.
func TestThinkingAtTheEnd(t *testing.T) {
	t.Parallel()
	fl := &fleet{calls: map[string][]string{}, times: map[string][]time.Time{}}
	p := openPlan(t, serve(t, fl.ServeHTTP), 100, 300*time.Millisecond)
	p.Flows = []plan.Flow{life(time.Minute)}
	begin := time.Now()
	res := mustRun(t, p)
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the run took %s", took)
	}
	if c := res.Operations; c[0].Good != 30 || c[1].Good == 0 || c[2].Good != 0 {
		t.Errorf("the operations are %+v, want the first step of 30 flows and no last step: %v", c, res.Errors)
	}
}

// Started flows continue until the run's end, even if no further flow starts.
func TestFlowsContinueUntilTheEnd(t *testing.T) {
	t.Parallel()
	f := func(p *plan.Plan, want int64) {
		t.Helper()
		p.Flows = []plan.Flow{{Name: "update", Weight: 1, Steps: []plan.Step{{Name: "a", Path: "/"}, {Name: "b", Path: "/", Think: 50 * time.Millisecond}}}}
		if res := mustRun(t, p); res.Counts.Good != want {
			t.Errorf("%d good answers, want %d: %v", res.Counts.Good, want, res.Errors)
		}
	}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		answerJSON(w, r)
	})
	f(openPlan(t, url, 0.5, 3900*time.Millisecond), 4) // they begin at 0 and 2 s
	p := openPlan(t, url, 100, 20*time.Second)
	p.Count = 1
	begin := time.Now()
	f(p, 2)
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the run took %s although its only flow had ended", took)
	}
}

// No step is sent after the run's end, even without a think time.
func TestFlowEndsWithTheRun(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(100 * time.Millisecond)
		answerJSON(w, r)
	})
	for _, p := range []*plan.Plan{openPlan(t, url, 100, 300*time.Millisecond), closedPlan(t, url, 4, 300*time.Millisecond)} {
		p.Connections = 64
		p.Flows[0].Steps = nil
		for i := range 20 {
			p.Flows[0].Steps = append(p.Flows[0].Steps, plan.Step{Name: fmt.Sprint(i), Path: "/"})
		}
		for i, o := range mustRun(t, p).Operations {
			if i > 3 && o.Good > 0 {
				t.Errorf("step %d, which is due after the end, has %d requests", i, o.Good)
			}
		}
	}
}

// Requests that were due but found no free connection are counted, including steps after
// a think time.
func TestUnsentStepsCount(t *testing.T) {
	needsQuiet(t)
	retryRounds(t, func() error {
		var n atomic.Int64
		block := make(chan struct{})
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) > 20 {
				<-block
			}
			answerJSON(w, r)
		})
		defer close(block)
		p := openPlan(t, url, 1000, 2*time.Second) // the queue is full after half of it
		p.Timeout = time.Second
		p.Flows = []plan.Flow{{Name: "update", Weight: 1, Steps: []plan.Step{{Name: "a", Path: "/"}, {Name: "b", Path: "/", Think: 1500 * time.Millisecond}}}}
		if c := mustRun(t, p).Counts; c.Intended != 2020 || c.Good != 20 {
			return fmt.Errorf("%d requests were due and %d good, want 2020 (with 20 second steps) and 20", c.Intended, c.Good)
		}
		return nil
	})
}
