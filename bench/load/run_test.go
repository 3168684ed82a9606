package load

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"jobgate/bench/report"
)

func TestOpenLoopKeepsItsRate(t *testing.T) {
	t.Parallel()
	seen := sync.Map{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.URL.Path, true)
		answerJSON(w, r)
	})
	p := openPlan(t, url, 1000, 4*time.Second)
	p.Warmup = 100 * time.Millisecond
	p.Connections = 64
	res := mustRun(t, p)
	if res.Counts.Good != 4000 || res.Counts.Failed != 0 {
		t.Errorf("%d good answers and %d failures, want exactly 4000 and none: %v", res.Counts.Good, res.Counts.Failed, res.Errors)
	}
	// On a busy machine the generator may miss the rate, but must report it.
	reported := res.Generator.Limited != "" || len(res.Warnings) > 0
	if rate := res.Rate(); math.Abs(rate-1000) > 10 && !reported {
		t.Errorf("the rate is %.1f/s, want 1000/s within 1 %%", rate)
	}
	if res.Plan.Loop != report.OpenLoop || res.Latency.Count() != 4000 || res.Service.Count() != 4000 || res.Lag.Count() != 4000 {
		t.Errorf("loop %q with %d, %d and %d latencies, want 4000 each", res.Plan.Loop, res.Latency.Count(), res.Service.Count(), res.Lag.Count())
	}
	names := 0
	seen.Range(func(any, any) bool { names++; return true })
	if names < 950 || names > 1000 {
		t.Errorf("%d of 1000 names were requested in 4100 uniform draws, want at least 950", names)
	}
	var sum int64
	for _, i := range res.Intervals {
		sum += i.Good
	}
	if sum != 4000 {
		t.Errorf("the intervals hold %d answers, want all 4000", sum)
	}
}

func TestPoissonKeepsItsRate(t *testing.T) {
	t.Parallel()
	rate := 400.0 // a busy machine does not answer many more
	if os.Getenv(quietClock) != "" {
		rate = 1500
	}
	const seconds = 4
	p := openPlan(t, serve(t, answerJSON), rate, seconds*time.Second)
	p.Poisson, p.Connections = true, 64
	res := mustRun(t, p)
	// The number of arrivals has the standard deviation √want, and the run must send all of them.
	want := rate * seconds
	if n := float64(res.Counts.Intended); math.Abs(n-want) > 4*math.Sqrt(want) || res.Counts.Good != res.Counts.Intended {
		t.Errorf("%d of %d answered, want all of about %.0f: %v", res.Counts.Good, res.Counts.Intended, want, res.Errors)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	f := func(p *plan.Plan) {
		t.Helper()
		p.Duration, p.Count, p.Warmup = 0, 500, 50*time.Millisecond
		if res := mustRun(t, p); res.Counts.Good != 500 || res.Counts.Intended != 500 {
			t.Errorf("%s loop: %d good of %d intended, want 500", res.Plan.Loop, res.Counts.Good, res.Counts.Intended)
		}
	}
	url := serve(t, answerJSON)
	f(openPlan(t, url, 5000, 0))
	f(closedPlan(t, url, 8, 0))
}

// stalling answers at once, except in the first 0.2 s of every 2 s, counted from its first request.
func stalling() http.HandlerFunc {
	first := sync.OnceValue(time.Now)
	return func(w http.ResponseWriter, r *http.Request) {
		const period, stall = 2 * time.Second, 200 * time.Millisecond
		if into := time.Since(first()) % period; into < stall {
			time.Sleep(stall - into)
		}
		answerJSON(w, r)
	}
}

// The reason for the open loop: the target stalls for a tenth of the time, and one request in ten waits for up to the
// length of the stall.
func TestOpenLoopShowsStalls(t *testing.T) {
	t.Parallel()
	open := mustRun(t, openPlan(t, serve(t, stalling()), 500, 2*time.Second))
	if p99 := open.Latency.Percentile(99); p99 < 130*time.Millisecond {
		t.Errorf("open loop: p99 is %s, want most of the 200ms stall", p99)
	}
	if p95 := open.Latency.Percentile(95); p95 < 70*time.Millisecond {
		t.Errorf("open loop: p95 is %s, want about half of the 200ms stall", p95)
	}
}

// A closed loop has only one waiting request per connection, so its latencies hardly show the stall.
func TestClosedLoopMissesStalls(t *testing.T) {
	needsQuiet(t)
	var closed *report.Result
	retryRounds(t, func() error {
		closed = mustRun(t, closedPlan(t, serve(t, stalling()), 2, 2*time.Second))
		if p99 := closed.Latency.Percentile(99); p99 > 100*time.Millisecond {
			return fmt.Errorf("closed loop: p99 is %s, want it to miss the stall", p99)
		}
		return nil
	})
	if closed.Plan.Loop != report.ClosedLoop || !strings.Contains(closed.Title(), "closed loop") {
		t.Errorf("the closed loop is labelled %q: %q", closed.Plan.Loop, closed.Title())
	}
}

// Requests without a free connection count as failures.
func TestOverload(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		answerJSON(w, r)
	})
	p := openPlan(t, url, 5000, 500*time.Millisecond)
	p.Connections, p.Timeout = 2, 1500*time.Millisecond // 40/s of 5000/s
	res := mustRun(t, p)
	if res.Counts.Intended != 2500 {
		t.Errorf("%d requests were intended, want 2500", res.Counts.Intended)
	}
	if n := failures(res, answer.Unsent); n < 2400 || n != res.Counts.Failed {
		t.Errorf("%d requests are unsent of %d failed, want nearly all of 2500", n, res.Counts.Failed)
	}
	if res.Counts.Waited == 0 {
		t.Error("no request is counted as waiting for a connection")
	}
	for k, i := range res.Intervals { // 0.1 s each, or longer on a busy machine
		sending := min(i.At+i.Seconds, 0.5) - min(i.At, 0.5)
		if math.Abs(float64(i.Intended)-5000*sending) > 60 {
			t.Errorf("interval %d has %d intended requests in %g s, want 5000/s although they were not sent", k, i.Intended, sending)
		}
	}
}

func TestRampAndSteps(t *testing.T) {
	needsQuiet(t)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(4 * time.Millisecond)
		answerJSON(w, r)
	})
	p := openPlan(t, url, 0, 1200*time.Millisecond)
	p.Stages = []plan.Stage{{From: 100, To: 100, Length: 400 * time.Millisecond}, {From: 1000, To: 1000, Length: 400 * time.Millisecond}, {From: 20000, To: 20000, Length: 400 * time.Millisecond}}
	p.Connections, p.Timeout = 8, time.Second // up to 2000/s
	res := mustRun(t, p)
	steps := res.Steps()
	if len(steps) != 3 {
		t.Fatalf("%d steps, want 3: %+v", len(steps), steps)
	}
	if math.Abs(steps[2].Offered-20000) > 2000 || steps[2].KeptUp {
		t.Errorf("the last step offered %.0f/s and kept up: %t; want 20000/s and false", steps[2].Offered, steps[2].KeptUp)
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	f := func(share float64, low, high int64) {
		t.Helper()
		conns.Store(0)
		p := closedPlan(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Close {
				conns.Add(1)
			}
			answerJSON(w, r)
		}), 4, 0)
		p.Count, p.KeepAlive = 400, share
		res := mustRun(t, p)
		if res.Counts.Good != 400 {
			t.Errorf("%d good answers of 400: %v", res.Counts.Good, res.Errors)
		}
		if n := res.Counts.Reconnects; n < low || n > high {
			t.Errorf("keep-alive %g: %d reconnects, want %d to %d", share, n, low, high)
		}
		if asked := conns.Load(); asked < low || asked > high+4 {
			t.Errorf("keep-alive %g: %d requests have Connection: close, want %d to %d", share, asked, low, high+4)
		}
	}
	f(1, 0, 0)
	f(0, 396, 400)
	f(0.5, 140, 260)
}

func TestReconnectAfter(t *testing.T) {
	needsQuiet(t)
	retryRounds(t, func() error {
		p := openPlan(t, serve(t, answerJSON), 500, time.Second)
		p.Connections, p.ReconnectAfter = 2, 100*time.Millisecond
		res := mustRun(t, p)
		if n := res.Counts.Reconnects; n < 8 || n > 22 || res.Counts.Failed > 0 {
			return fmt.Errorf("%d reconnects and %d failures, want about 20 and none: 2 connections reconnect every 100ms for a second", n, res.Counts.Failed)
		}
		return nil
	})
}

// A target may close an idle connection at any time. This is not a failed request.
func TestTargetCloses(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%10 == 0 {
			w.Header().Set("Connection", "close")
		}
		answerJSON(w, r)
	})
	p := closedPlan(t, url, 4, 0)
	p.Count = 400
	if res := mustRun(t, p); res.Counts.Good != 400 || res.Counts.Reconnects < 30 {
		t.Errorf("%d good answers and %d reconnects, want 400 and about 40: %v", res.Counts.Good, res.Counts.Reconnects, res.Errors)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	var interrupt atomic.Pointer[context.CancelFunc]
	url := serve(t, func(http.ResponseWriter, *http.Request) {
		(*interrupt.Load())()
		<-block
	})
	defer close(block)
	f := func(p *plan.Plan) {
		t.Helper()
		p.Timeout = 20 * time.Second
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		interrupt.Store(&cancel)
		begin := time.Now()
		res, err := Run(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("the interrupted run took %s, want at most 15 s", took)
		}
		c := res.Counts
		if !res.Interrupted || c.Abandoned == 0 || c.Failed != 0 || c.Intended != c.Abandoned {
			t.Errorf("interrupted: %t, %+v; want all requests in flight abandoned and none failed", res.Interrupted, c)
		}
	}
	f(openPlan(t, url, 1000, time.Minute))
	f(closedPlan(t, url, 8, time.Minute))
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	socket := t.TempDir() + "/s"
	serveUnix(t, socket)
	p := openPlan(t, "http://localhost/x", 200, 500*time.Millisecond)
	p.Unix = socket
	if res := mustRun(t, p); res.Counts.Good != 100 {
		t.Errorf("%d good answers over a Unix socket, want 100: %v", res.Counts.Good, res.Errors)
	}
}
