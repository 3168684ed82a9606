package load

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"jobgate/bench/load/answer"
)

// The offered rate covers the sending window only, not the time in which the run waits
// for the last answers.
func TestOfferedRateOfAnOverload(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		answerJSON(w, r)
	})
	p := openPlan(t, url, 1000, 500*time.Millisecond)
	p.Connections, p.Timeout = 2, 2*time.Second
	res := mustRun(t, p)
	if rate := res.Offered(); math.Abs(rate-1000) > 20 {
		t.Errorf("the offered rate is %.0f/s, want 1000/s", rate)
	}
	if res.Seconds < 0.8 {
		t.Errorf("the run lasted %.2f s, want it to include answers after the sending window", res.Seconds)
	}
}

// A single timeout at the end does not lower the rate of all other answers.
func TestTimeoutDoesNotLowerTheRate(t *testing.T) {
	needsQuiet(t)
	retryRounds(t, func() error {
		url, end := silentOnce(t, 450)
		defer end()
		p := openPlan(t, url, 500, time.Second)
		p.Timeout = 2 * time.Second
		res := mustRun(t, p)
		if rate := res.Rate(); failures(res, answer.TimedOut) != 1 || rate < 450 {
			return fmt.Errorf("%.0f/s good answers with %d timeouts, want nearly 500/s with 1", rate, failures(res, answer.TimedOut))
		}
		return nil
	})
}

// The CPU share covers the sending window only. The time in which the run waits for its
// last answers does not lower it.
func TestCPUShareCoversSending(t *testing.T) {
	needsQuiet(t)
	retryRounds(t, func() error {
		url, end := silentOnce(t, 100)
		defer end()
		p := closedPlan(t, url, 2, time.Second)
		p.Timeout = 4 * time.Second
		res := mustRun(t, p)
		g := res.Generator
		if of := g.CPUSeconds / g.CPUShare / float64(runtime.GOMAXPROCS(0)); failures(res, answer.TimedOut) != 1 || math.Abs(of-1) > 1 {
			return fmt.Errorf("the CPU share covers %.1f s, want the second in which requests were sent: %v", of, res.Errors)
		}
		return nil
	})
}

// The same for a run by count, which ends with its last answer.
func TestOfferedRateOfACount(t *testing.T) {
	t.Parallel()
	url, end := silentOnce(t, 450)
	defer end()
	p := openPlan(t, url, 500, 0)
	p.Count, p.Timeout, p.Warmup = 500, 2*time.Second, 100*time.Millisecond
	if rate := mustRun(t, p).Offered(); math.Abs(rate-500) > 10 {
		t.Errorf("the offered rate is %.0f/s, want 500/s", rate)
	}
}

// If the target stops answering before the interrupt, that time counts in the rate.
func TestInterruptedRateIncludesStall(t *testing.T) {
	needsQuiet(t)
	retryRounds(t, func() error {
		begin := time.Now()
		block := make(chan struct{})
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if time.Since(begin) > 300*time.Millisecond {
				<-block
			}
			answerJSON(w, r)
		})
		defer close(block)
		ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer cancel()
		res, err := Run(ctx, openPlan(t, url, 500, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if res.Seconds < 1.3 || res.Seconds > 2.5 || res.Rate() > 200 {
			return fmt.Errorf("%.0f/s in %.2f s, want about 100/s in the 1.5 s until the interrupt", res.Rate(), res.Seconds)
		}
		return nil
	})
}

// A stall shows in a closed loop's intervals too, although no requests are sent meanwhile.
func TestStallShowsInIntervals(t *testing.T) {
	needsQuiet(t)
	begin := time.Now()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if d := time.Since(begin); d > 400*time.Millisecond && d < 1100*time.Millisecond {
			time.Sleep(1100*time.Millisecond - d)
		}
		answerJSON(w, r)
	})
	res := mustRun(t, closedPlan(t, url, 2, 1500*time.Millisecond))
	empty := 0
	for _, i := range res.Intervals {
		empty += int(b2i(i.Good == 0 && i.Failed == 0))
	}
	if empty < 3 {
		t.Errorf("%d intervals of 0.1 s have no answers, want at least 3 in the 0.7 s stall", empty)
	}
}

// Ctrl-C does not wait for connections that are never accepted, and does not report the
// target as unreachable.
func TestInterruptWhileConnecting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // nothing was written
	p := openPlan(t, "https://"+l.Addr().String(), 100, time.Minute)
	p.Timeout = 20 * time.Second // of the handshake, which is never answered
	ctx, cancel := interruptAfter(200 * time.Millisecond)
	defer cancel()
	begin := time.Now()
	res, err := Run(ctx, p)
	if err != nil || res == nil || !res.Interrupted || res.Counts.Failed != 0 {
		t.Errorf("the interrupted run is %+v, %v; want a report without failures", res, err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the run took %s, want it to end soon after 0.2 s", took)
	}
}

// oneListener passes on one connection; it accepts the others but never serves them.
type oneListener struct {
	net.Listener
	taken []net.Conn // keeps connections reachable: the garbage collector closes others
}

func (l *oneListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		l.taken = append(l.taken, c)
		if err != nil || len(l.taken) == 1 {
			return c, err
		}
	}
}

// The same when the first connection is open and the others are never served.
func TestInterruptWhileConnectingTheOthers(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(answerJSON))
	s.Listener = &oneListener{Listener: s.Listener}
	s.StartTLS()
	defer s.Close()
	p := openPlan(t, s.URL, 100, time.Minute)
	p.Timeout, p.TLS = 20*time.Second, s.Client().Transport.(*http.Transport).TLSClientConfig
	ctx, cancel := interruptAfter(500 * time.Millisecond)
	defer cancel()
	begin := time.Now()
	res, err := Run(ctx, p)
	if err != nil || !res.Interrupted {
		t.Errorf("the interrupted run is %+v, %v", res, err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("the run took %s, want it to end soon after 0.5 s", took)
	}
}

// TestLengths checks the same lengths as the tests above without a real clock: the measured time of a run that sent for a
// second, for different times of its last answer.
func TestLengths(t *testing.T) {
	f := func(name string, good, timeout, stopped time.Duration, measured, due float64) {
		t.Helper()
		r, _, err := prepare(openPlan(t, "http://h", 500, time.Second))
		if err != nil {
			t.Fatal(err)
		}
		r.clock = clock{time.Now().Add(-time.Hour)} // the run ended long ago
		r.recorder.record(0, &sample{kind: answer.Good, due: good / 2, done: good})
		if timeout > 0 {
			r.recorder.record(1, &sample{kind: answer.TimedOut, err: os.ErrDeadlineExceeded, due: good / 2, done: timeout})
		}
		if stopped > 0 {
			at := r.clock.start.Add(stopped)
			r.stopped.Store(&at)
		}
		gotMeasured, gotDue := r.lengths(stopped > 0)
		if math.Abs(gotMeasured-measured) > 1e-6 || math.Abs(gotDue-due) > 1e-6 {
			t.Errorf("%s: %g s measured, %g s of them sending; want %g and %g", name, gotMeasured, gotDue, measured, due)
		}
	}
	f("all in time", 900*time.Millisecond, 0, 0, 1, 1)
	f("a last answer after the end", 1200*time.Millisecond, 0, 0, 1.2, 1)
	f("a timeout after the end", 900*time.Millisecond, 3*time.Second, 0, 1, 1)
	f("interrupted while the target does not answer", 300*time.Millisecond, 0, 800*time.Millisecond, 0.8, 0.8)
	f("interrupted after the end", 300*time.Millisecond, 0, 3*time.Second, 1, 1)
}
