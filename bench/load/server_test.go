package load

import (
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"jobgate/bench/report"
)

// serve starts an HTTP server and returns its URL.
func serve(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// answerJSON is a handler with a good answer.
func answerJSON(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"ok"}`) // the test counts the answers received
}

// silentOnce starts a server that does not answer its nth request until end is called.
func silentOnce(t testing.TB, nth int64) (url string, end func()) {
	t.Helper()
	var n atomic.Int64
	block := make(chan struct{})
	url = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == nth {
			<-block
		}
		answerJSON(w, r)
	})
	return url, func() { close(block) }
}

// serveRaw starts a TCP server that runs handle on each connection, and returns its
// URL.
func serveRaw(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				handle(c)
				_ = c.Close() // the cleanup may have closed it already
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// answerRaw reads requests and answers each with the same bytes.
func answerRaw(answer string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 4096)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
}

// mustNames parses a valid range of names.
func mustNames(t testing.TB, prefix, text, spread string) plan.Names {
	t.Helper()
	n, err := plan.ParseNames(prefix, text)
	if err != nil {
		t.Fatal(err)
	}
	n.Spread, n.Skew = spread, 1.1
	return n
}

// openPlan returns the plan of an open loop with constant arrivals, for the test to change.
func openPlan(t testing.TB, url string, rate float64, length time.Duration) *plan.Plan {
	t.Helper()
	return &plan.Plan{
		URL: url, Flows: []plan.Flow{{Name: "request", Weight: 1, Steps: []plan.Step{{Path: "/things/{thingName}"}}}},
		Stages: []plan.Stage{{From: rate, To: rate}}, Connections: 16, Duration: length,
		Things: mustNames(t, "thing-", "1000", plan.Uniform), Jobs: mustNames(t, "job-", "1", plan.Uniform),
		KeepAlive: 1, Timeout: 20 * time.Second, MaxBody: 1 << 20, Seed: 1,
	}
}

// closedPlan returns the plan of a closed loop.
func closedPlan(t testing.TB, url string, concurrency int, length time.Duration) *plan.Plan {
	t.Helper()
	p := openPlan(t, url, 1, length)
	p.Stages, p.Connections = nil, concurrency
	return p
}

// TestMain runs more tests in parallel than there are processors, since most of them wait. Tests with upper bounds of time
// need the processors for themselves.
func TestMain(m *testing.M) {
	if os.Getenv(quietClock) == "" {
		if err := flag.Set("test.parallel", "16"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// quietClock enables the tests that can fail on a machine with other load.
const quietClock = "JOBGATE_TEST_QUIET_CLOCK"

// needsQuiet skips a test of upper bounds of time unless quietClock is set.
func needsQuiet(t testing.TB) {
	t.Helper()
	if os.Getenv(quietClock) == "" {
		t.Skipf("the test measures time and needs a machine without other load: set %s=1 to run it, as .ci/run does", quietClock)
	}
}

// retryRounds retries a test of an upper bound of time. One good round of five is enough: other load only makes a program
// slower.
func retryRounds(t testing.TB, try func() error) {
	t.Helper()
	var err error
	for range 5 {
		if err = try(); err == nil {
			return
		}
		t.Log(err)
	}
	t.Errorf("failed in each of five rounds: %v", err)
}

// interruptAfter returns a context that is cancelled like Ctrl-C does. It has no deadline, which a dialer would use.
func interruptAfter(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(d, cancel)
	return ctx, cancel
}

// mustRun runs a plan, with a limit on its duration, and checks what is true of every
// result.
func mustRun(t testing.TB, p *plan.Plan) *report.Result {
	t.Helper()
	res, err := play(t, p)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func play(t testing.TB, p *plan.Plan) (*report.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	begin := time.Now()
	res, err := Run(ctx, p)
	if ctx.Err() != nil {
		t.Fatal("the run did not end within 5 minutes")
	}
	if limit := p.Warmup + p.Duration + 3*p.Timeout + time.Minute; p.Duration > 0 && time.Since(begin) > limit {
		t.Errorf("the run took %s, want at most %s", time.Since(begin), limit)
	}
	if res == nil {
		return nil, err
	}
	if c := res.Counts; c.Intended != c.Good+c.Failed+c.Abandoned {
		t.Errorf("%d intended requests, but %d good, %d failed and %d abandoned", c.Intended, c.Good, c.Failed, c.Abandoned)
	}
	return res, err
}

// failures returns how often a kind of error was counted.
func failures(res *report.Result, k answer.Kind) int64 {
	i := slices.IndexFunc(res.Errors, func(e report.Error) bool { return e.Kind == k.String() })
	if i < 0 {
		return 0
	}
	return res.Errors[i].Count
}

// errIs fails the test unless err is target.
func errIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("the error is %v, want %v", err, target)
	}
}
