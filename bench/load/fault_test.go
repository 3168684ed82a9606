package load

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"github.com/valyala/fasthttp"

	"jobgate/bench/report"
)

// Whatever the target does, a run ends on time, counts the failures under their kind, and
// has a report.
func TestHostileTargets(t *testing.T) {
	t.Parallel()
	f := func(name string, handle func(net.Conn), want answer.Kind) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openPlan(t, serveRaw(t, handle), 100, 100*time.Millisecond)
			p.Timeout, p.MaxBody, p.Connections = 5*time.Second, 1000, 16
			if want == answer.TimedOut {
				p.Timeout = time.Second
			}
			res := mustRun(t, p)
			if n := failures(res, want); n != 10 || res.Counts.Good != 0 {
				t.Errorf("%d of 10 requests count as %q, %d as good: %v", n, want, res.Counts.Good, res.Errors)
			}
			for _, e := range res.Errors {
				if e.Example == "" || strings.HasSuffix(e.Example, "EOF") {
					t.Errorf("the example of %q is %q", e.Kind, e.Example)
				}
			}
		})
	}
	const ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	f("never answers", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, answer.TimedOut)
	f("stalls within headers", answerRaw("HTTP/1.1 200 OK\r\nContent-"), answer.TimedOut)
	f("stalls within the body", answerRaw(ok+"Content-Length: 10\r\n\r\n12345"), answer.TimedOut)
	f("sends slow bytes", func(c net.Conn) {
		for i := 0; ; i++ {
			if _, err := c.Write([]byte{"HTTP/1.1 200 OK\r\nX: "[min(i, 19)]}); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}, answer.TimedOut)
	f("sends garbage", answerRaw("\x00\x01\x02 hello\r\n\r\n"), answer.Garbage)
	f("speaks TLS", answerRaw("\x15\x03\x01\x00\x02\x02\x0a\r\n\r\n"), answer.Garbage)
	f("headers without end", func(c net.Conn) {
		buf := make([]byte, 4096)
		if _, err := c.Read(buf); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(c, "X-Header: "+strings.Repeat("x", 1000)+"\r\n"); err != nil {
				return
			}
		}
	}, answer.Garbage)
	f("closes at once", func(net.Conn) {}, answer.Closed)
	f("closes after the request", func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, answer.Closed)
	f("closes within headers", answerOnce(ok), answer.Truncated)
	f("closes within the body", answerOnce(ok+"Content-Length: 10\r\n\r\n12345"), answer.Truncated)
	f("closes within a chunk", answerOnce(ok+"Transfer-Encoding: chunked\r\n\r\na\r\n12345"), answer.Truncated)
	f("sends extra bytes", answerRaw(ok+"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n"), answer.Garbage)
	f("too large", answerRaw(ok+"Content-Length: 1001\r\n\r\n"+strings.Repeat(" ", 1001)), answer.TooLarge)
	f("too large in chunks", answerOnce(ok+"Transfer-Encoding: chunked\r\n\r\n3e9\r\n"+strings.Repeat(" ", 1001)+"\r\n0\r\n\r\n"), answer.TooLarge)
	f("not JSON", answerRaw(ok+"Content-Length: 5\r\n\r\n{\"a\":"), answer.NotJSON)
	f("placeholder", answerRaw(ok+"Content-Length: 32\r\n\r\n{\"a\":\"${aws:iot:parameter:xyz}\"}"), answer.PlaceholderLeft)
	f("placeholder in gzip", answerRaw(zipped(`{"a":"${aws:iot:parameter:xyz}"}`)), answer.PlaceholderLeft)
	f("too large when unpacked", answerRaw(zipped(strings.Repeat(" ", 1001))), answer.TooLarge)
	f("wrong content coding", answerRaw(ok+"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\n{\"a\": \"zip\"}"), answer.Garbage)
	f("unknown content coding", answerRaw(ok+"Content-Encoding: x\r\nContent-Length: 2\r\n\r\n{}"), answer.Garbage)
	f("status", answerRaw("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), answer.WrongStatus)
}

// zipped is an answer with a body in gzip.
func zipped(body string) string {
	b := fasthttp.AppendGzipBytes(nil, []byte(body))
	return fmt.Sprintf("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(b), b)
}

// Checks, captures and verification work on the decompressed body of an answer.
func TestCompressed(t *testing.T) {
	t.Parallel()
	p := openPlan(t, serveRaw(t, answerRaw(zipped(`{"job":{"id":"job-7"}}`))), 100, 100*time.Millisecond)
	p.Flows[0].Steps = []plan.Step{{Path: "/", Capture: map[string]string{"id": "job.id"}}, {Path: "/{id}"}}
	if res := mustRun(t, p); res.Counts.Good < 10 || res.Counts.Skipped != 0 {
		t.Errorf("%d of 10 answers are good, %d steps skipped: %v", res.Counts.Good, res.Counts.Skipped, res.Errors)
	}
}

// Answers 429 and 503 with Retry-After are failures, with a latency histogram of their own.
func TestShed(t *testing.T) {
	t.Parallel()
	f := func(status, header string, want int64) {
		t.Helper()
		url := serveRaw(t, answerRaw("HTTP/1.1 "+status+"\r\n"+header+"Content-Length: 0\r\n\r\n"))
		res := mustRun(t, openPlan(t, url, 100, 100*time.Millisecond))
		shed := int64(0)
		if res.Shed != nil {
			shed = res.Shed.Count()
		}
		if shed != want || failures(res, answer.WrongStatus) != 10 || res.Latency.Count() != 0 {
			t.Errorf("%s: %d of 10 are shed, want %d; %d have a latency", status, shed, want, res.Latency.Count())
		}
	}
	f("503 Service Unavailable", "Retry-After: 2\r\n", 10)
	f("429 Too Many Requests", "Retry-After: 2\r\n", 10)
	f("503 Service Unavailable", "", 0)
	f("500 Internal Server Error", "Retry-After: 2\r\n", 0)
}

// Headers above the generator's limit are reported as such.
func TestLongHeaders(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, answerRaw("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", answer.HeaderLimit)+"\r\nContent-Length: 0\r\n\r\n"))
	res := mustRun(t, openPlan(t, url, 100, 100*time.Millisecond))
	if failures(res, answer.Garbage) != 10 || !strings.Contains(res.Errors[0].Example, "headers take more than 8192 bytes") {
		t.Errorf("the errors are %+v", res.Errors)
	}
}

// An unknown status code is reported unchanged.
func TestUnknownStatus(t *testing.T) {
	t.Parallel()
	res := mustRun(t, openPlan(t, serveRaw(t, answerRaw("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n")), 100, 100*time.Millisecond))
	if res.Counts.Status["999"] != 10 {
		t.Errorf("the statuses are %v, want 10 of 999", res.Counts.Status)
	}
}

// answerOnce answers one request and closes the connection.
func answerOnce(answer string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			_, _ = io.WriteString(c, answer) // the generator may have closed the connection
		}
	}
}

// A slow but complete answer in small pieces is good.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
		for _, b := range []byte("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}") {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(200 * time.Microsecond)
		}
	})
	p := openPlan(t, url, 50, 300*time.Millisecond)
	if res := mustRun(t, p); res.Counts.Good != 15 {
		t.Errorf("%d good answers of 15: %v", res.Counts.Good, res.Errors)
	}
}

// If the target is unreachable from the start, the run fails at once and its report says the same.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f := func(url string, want answer.Kind) {
		t.Helper()
		p := openPlan(t, url, 100, time.Minute)
		begin := time.Now()
		res, err := play(t, p)
		errIs(t, err, ErrUnreachable)
		if res == nil || failures(res, want) != 1 {
			t.Fatalf("%s: the report is %+v, want one failure of kind %q", url, res, want)
		}
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%s: the run took %s to fail", url, took)
		}
	}
	f("http://"+addr, answer.Refused)
	f("http://name.invalid", answer.ConnectFailed)
	f("https://"+strings.TrimPrefix(serve(t, answerJSON), "http://"), answer.TLSFailed)
}

// If the target goes away during the run, every further request fails and is counted.
func TestTargetGoesAway(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	s := &http.Server{ReadHeaderTimeout: time.Minute}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, r)
		if n.Add(1) == 100 {
			go func() { _ = s.Close() }() // Serve returns the error
		}
	})
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	f := func(p *plan.Plan) *report.Result {
		t.Helper()
		p.URL = "http://" + l.Addr().String()
		res := mustRun(t, p)
		if res.Counts.Good == 0 || failures(res, answer.Refused) == 0 {
			t.Errorf("%d good answers, %d refused connections: want some of both", res.Counts.Good, failures(res, answer.Refused))
		}
		return res
	}
	res := f(openPlan(t, "", 500, time.Second))
	if res.Counts.Intended != 500 {
		t.Errorf("%d requests were intended, want 500", res.Counts.Intended)
	}
	errIs(t, <-served, http.ErrServerClosed)
}

// A closed loop backs off when connections are refused, instead of retrying millions of times.
func TestClosedLoopBacksOff(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		// Accept only the first connection, which the run opens beforehand.
		c, err := l.Accept()
		if err == nil {
			_ = c.Close()
		}
		_ = l.Close()
	}()
	res := mustRun(t, closedPlan(t, "http://"+l.Addr().String(), 4, 500*time.Millisecond))
	if res.Counts.Failed == 0 || res.Counts.Failed > 4*60 {
		t.Errorf("4 connections failed %d times in half a second: %v", res.Counts.Failed, res.Errors)
	}
}

func TestPlanRefuses(t *testing.T) {
	f := func(change func(*plan.Plan), want string) {
		t.Helper()
		p := openPlan(t, "http://127.0.0.1:1", 10, time.Second)
		change(p)
		if res, err := Run(context.Background(), p); res != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run: %v, %v; want an error with %q", res, err, want)
		}
	}
	f(func(p *plan.Plan) { p.Flows = nil }, "without requests")
	f(func(p *plan.Plan) { p.Connections = 0 }, "0 connections")
	f(func(p *plan.Plan) { p.Timeout = 0 }, "timeout of 0s")
	f(func(p *plan.Plan) { p.KeepAlive = 1.5 }, "1.5")
	f(func(p *plan.Plan) { p.Duration = 0 }, "without an end")
	f(func(p *plan.Plan) { p.Warmup = -1 }, "below zero")
	f(func(p *plan.Plan) { p.Duration, p.Warmup = math.MaxInt64, time.Hour }, "longer than a year")
	f(func(p *plan.Plan) { p.Timeout = math.MaxInt64 }, "longer than a year")
	f(func(p *plan.Plan) { p.Flows[0].Steps[0].Think = math.MaxInt64 }, "longer than a year")
	f(func(p *plan.Plan) { p.Things.Spread, p.Things.Skew = plan.Zipf, 1 }, "exponent of 1")
	f(func(p *plan.Plan) { p.Things = plan.Names{} }, "without names")
	f(func(p *plan.Plan) { p.URL = "ftp://h/x" }, "ftp://h/x")
	f(func(p *plan.Plan) { p.URL = "127.0.0.1:80" }, "127.0.0.1:80")
	f(func(p *plan.Plan) { p.URL = "http:///x" }, "http:///x")
	f(func(p *plan.Plan) { p.URL = "http://h:x/" }, "http://h:x/")
	f(func(p *plan.Plan) { p.Flows[0].Weight = 0 }, "weight 0")
	f(func(p *plan.Plan) { p.Flows[0].Steps = nil }, "no steps")
	f(func(p *plan.Plan) { p.Flows[0].Steps[0].Path = "/{x}" }, "unknown variable {x}")
	f(func(p *plan.Plan) { p.Flows[0].Steps[0].Status = []int{99} }, "status 99")
	f(func(p *plan.Plan) { p.Flows[0].Steps[0].Capture = map[string]string{"a-b": "x"} }, `cannot capture "a-b"`)
	f(func(p *plan.Plan) { p.Headers = []plan.Header{{Name: "A B", Value: "x"}} }, "A B")
}

func serveUnix(t testing.TB, socket string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(answerJSON), ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		errIs(t, <-served, http.ErrServerClosed)
	})
}

func ExampleParseRate() {
	stages, err := plan.ParseRate("100/s:10s,1000..50000/s:60s")
	fmt.Println(stages, err)
	// Output: [{100 100 10s} {1000 50000 1m0s}] <nil>
}
