package report

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// sampleResult is a run of n good answers whose latencies are evenly spread from low
// to high, in intervals of a second.
func sampleResult(n int, low, high time.Duration) *Result {
	const seconds = 10
	r := &Result{
		Format: Format, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: seconds,
		Plan:     Plan{Target: "http://host/path", Loop: OpenLoop, Arrivals: "Poisson", Connections: 4, KeepAlive: 1, Stages: []Stage{{float64(n) / seconds, float64(n) / seconds, 0}}},
		Machines: []Machine{{CPU: "cpu", Cores: 2, OS: "linux/amd64", Go: "go1"}},
		Counts:   Counts{Intended: int64(n), Sent: int64(n), Good: int64(n), Status: map[string]int64{"200": int64(n)}},
		Latency:  NewHistogram(), Service: NewHistogram(), Lag: NewHistogram(),
	}
	for i := range seconds {
		r.Intervals = append(r.Intervals, Interval{At: float64(i), Seconds: 1, Intended: int64(n / seconds), Good: int64(n / seconds), Latency: NewCoarseHistogram()})
	}
	for i := range n {
		d := low + (high-low)*time.Duration(i)/time.Duration(n)
		r.Latency.Record(d)
		r.Service.Record(d)
		r.Lag.Record(time.Microsecond)
		r.Intervals[i%seconds].Latency.Record(d)
	}
	return r
}

func text(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func has(t *testing.T, where, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s does not contain %q:\n%s", where, w, got)
		}
	}
}

func hasNot(t *testing.T, where, got string, unwanted ...string) {
	t.Helper()
	for _, w := range unwanted {
		if strings.Contains(got, w) {
			t.Errorf("%s contains %q:\n%s", where, w, got)
		}
	}
}

func TestUnits(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Duration(0), "0.00 µs")
	f(Duration(1234), "1.23 µs")
	f(Duration(99960), "100 µs")
	f(Duration(812*time.Microsecond), "812 µs")
	f(Duration(999499*time.Nanosecond), "999 µs")
	f(Duration(time.Millisecond), "1.00 ms")
	f(Duration(25*time.Millisecond), "25.0 ms")
	f(Duration(2500*time.Millisecond), "2.50 s")
	f(Duration(time.Hour), "3600 s")
	f(Bytes(999), "999 B")
	f(Bytes(1500), "1.50 KB")
	f(Bytes(123_456_789_000), "123 GB")
	f(Rate(0), "0/s")
	f(Rate(0.25), "0.25/s")
	f(Rate(0.0833), "0.0833/s")
	f(Rate(1.0/3600), "0.000278/s")
	f(Rate(999.7), "1,000/s")
	f(Rate(19998.4), "19,998/s")
	f(Share(0), "0 %")
	f(Share(0.000001), "<0.001 %")
	f(Share(0.00123), "0.123 %")
	f(Share(0.5), "50.0 %")
	f(Share(1), "100 %")
}

func TestAsserts(t *testing.T) {
	r := sampleResult(1000, time.Millisecond, 10*time.Millisecond)
	r.Counts.Failed = 10
	limited := sampleResult(1000, time.Millisecond, 10*time.Millisecond)
	limited.Generator.Limited = "because"
	nothing := sampleResult(0, 0, 0)
	nothing.Counts.Good, nothing.Counts.Status = 0, nil
	f := func(r *Result, text, failed string) {
		t.Helper()
		a, err := ParseAsserts(text)
		if err != nil {
			t.Errorf("ParseAsserts(%q): %v", text, err)
			return
		}
		err = a.Check(r)
		switch {
		case failed == "" && err != nil:
			t.Errorf("%q: %v; want it to hold", text, err)
		case failed != "" && (!errors.Is(err, ErrAssert) || !strings.Contains(err.Error(), failed)):
			t.Errorf("%q: %v; want it to fail with %q", text, err, failed)
		}
	}
	f(r, "", "")
	f(r, "p99<10ms", "")
	f(r, "p99<5ms", "p99<5ms (it is 9.")
	f(r, " p50 <= 6ms , p99.9 < 11ms, max<=10ms, min>=990us, mean>5ms", "")
	f(r, "p50>6ms,max<1ms", "p50>6ms (it is 5.49 ms), max<1ms (it is 9.")
	f(r, "errors<1%", "")
	f(r, "errors<0.1%", "it is 0.990 %")
	f(r, "errors<=10", "")
	f(r, "errors<10", "it is 10")
	f(r, "rate>=100/s", "")
	f(r, "rate>100", "it is 100/s")
	f(limited, "p99<1h", "unknown: the generator was the bottleneck")
	f(limited, "errors<1%,rate>1/s", "")
	f(nothing, "p99<1h", "unknown: nothing was answered")
	f(nothing, "errors<1%", "unknown: nothing was answered")
	f(nothing, "errors<1", "")
}

func TestParseAssertsRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseAsserts(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseAsserts(%q): %v; want an error with %q", text, err, want)
		}
	}
	f("p99", "not metric, comparison, limit")
	f("p99<5ms,", "not metric, comparison, limit")
	f("<5ms", "not metric, comparison, limit")
	f("p99=5ms", "not metric, comparison, limit")
	f("p99<5", `"5" is not a duration`)
	f("p99<-5ms", "is not a duration")
	f("p101<5ms", `metric "p101"`)
	f("p0<5ms", `metric "p0"`)
	f("latency<5ms", `metric "latency"`)
	f("errors<few", `"few" is neither`)
	f("errors<-1%", "is neither")
	f("errors<NaN", "is neither")
	f("errors<Inf", "is neither")
	f("errors<200%", "is neither")
	f("rate>NaN", "is not a rate")
	f("pNaN<5ms", `metric "pNaN"`)
	f("rate>5ms", `"5ms" is not a rate`)
}

func TestTextIsLabelled(t *testing.T) {
	r := sampleResult(1000, time.Millisecond, 10*time.Millisecond)
	r.Errors = []Error{{"timeout", 3, "i/o timeout"}}
	r.Warnings = []string{"look out"}
	has(t, "an open loop's text", text(t, r), "open loop, Poisson arrivals, 100/s", "from the intended send", "generator's delay", "p99.99", "timeout", "i/o timeout", "warning: look out")

	r.Plan.Loop, r.Service, r.Lag = ClosedLoop, nil, nil
	got := text(t, r)
	has(t, "a closed loop's text", got, "closed loop", "from the send")
	hasNot(t, "a closed loop's text", got, "intended send")

	r.Generator.Limited = "It was late."
	got = text(t, r)
	has(t, "a limited run's text", got, "latency is not reported: the generator was the bottleneck", "It was late.")
	hasNot(t, "a limited run's text", got, "p99", "p50")

	has(t, "an empty run's text", text(t, &Result{Plan: Plan{Loop: OpenLoop}, Latency: NewHistogram()}), "there was no good answer")
}

func TestHTML(t *testing.T) {
	r := sampleResult(1000, time.Millisecond, 10*time.Millisecond)
	r.Plan.Target = `http://host/<script>alert("x")</script>`
	r.Errors = []Error{{"garbage", 1, "<b>&"}}
	r.Machines = append(r.Machines, Machine{Cores: 4, OS: "linux/arm64", Go: "go1"}) // its CPU is unknown
	page := func() string {
		var b bytes.Buffer
		if err := r.WriteHTML(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	got := page()
	has(t, "the page", got, "<svg", "Latency over time", "Latency by percentile", "Rate", "99.9 %", "&lt;script&gt;", "&lt;b&gt;", "<dd>4 cores for the generator, linux/arm64")
	// The page opens offline: it loads nothing.
	hasNot(t, "the page", got, "<script", "src=", "href=", "@import", "url(", "NaN", "ZgotmplZ")

	r.Generator.Limited = "It was late."
	got = page()
	has(t, "a limited run's page", got, "Latency is not reported", "It was late.")
	hasNot(t, "a limited run's page", got, "Latency over time", "<b>p99")

	r = &Result{Plan: Plan{Loop: ClosedLoop}, Latency: NewHistogram()}
	hasNot(t, "an empty run's page", page(), "<svg", "NaN")
	r = sampleResult(10, time.Second, time.Second)
	r.Intervals = r.Intervals[:1]
	hasNot(t, "a short run's page", page(), "NaN", "Inf")
}

func TestJSONRoundTrip(t *testing.T) {
	r := sampleResult(1000, time.Millisecond, 10*time.Millisecond)
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	back, err := ReadJSON(&b)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, back) != text(t, r) {
		t.Errorf("a report read back from JSON differs:\n%s\n%s", text(t, r), text(t, back))
	}
}

func TestReadJSONRefuses(t *testing.T) {
	f := func(text string) {
		t.Helper()
		if _, err := ReadJSON(strings.NewReader(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, want ErrFormat", text, err)
		}
	}
	f("")
	f("{}")
	f("not JSON")
	f(`{"format":"jobgate-bench/2"}`)
	f(`{"format":"jobgate-bench/1"} {}`)
	f(`{"format":"jobgate-bench/1"}`)
	f(`{"format":"jobgate-bench/1","plan":{"loop":"open"},"latency":{"count":1,"hdr":"x"}}`)
}

func TestStepsAndKnee(t *testing.T) {
	r := sampleResult(1000, time.Millisecond, 2*time.Millisecond)
	if r.Steps() != nil {
		t.Error("a steady run has steps")
	}
	r.Plan.Stages = []Stage{{100, 200, 5}, {400, 400, 5}}
	for i := range r.Intervals {
		r.Intervals[i].Intended, r.Intervals[i].Good = 150, 150
		if i >= 5 {
			r.Intervals[i].Intended = 400 // of which 150 are answered
		}
	}
	steps := r.Steps()
	// The one-second intervals fill five of the ramp's ten steps; the sixth is the last stage.
	if len(steps) != 6 || !steps[0].KeptUp || steps[5].KeptUp || math.Abs(steps[5].Offered-400) > 1e-9 || math.Abs(steps[5].Good-150) > 1e-9 {
		t.Fatalf("the steps are %+v", steps)
	}
	knee, found := Knee(steps)
	if !found || knee.To > 200 || knee.To < 180 {
		t.Errorf("the knee is %+v (%t), want the ramp's last step", knee, found)
	}
	has(t, "the text", text(t, r), "kept up", "knee: the target kept up until 200/s")
	if _, found := Knee(steps[:5]); found {
		t.Error("there is a knee although every step kept up")
	}
	if knee, found := Knee(steps[5:]); !found || knee.To != 0 {
		t.Errorf("the knee below the first step is %+v (%t)", knee, found)
	}
}

// Requests still in flight at a step's end do not count as missing. In a ramp, more are
// in flight at a step's end than at its beginning.
func TestSlowTargetKeepsUp(t *testing.T) {
	f := func(latency float64, capacity, want int) {
		t.Helper()
		r := sampleResult(10, time.Millisecond, 2*time.Millisecond)
		r.Plan.Stages, r.Intervals = []Stage{{100, 1100, 10}}, nil
		for k := range 10 {
			from, to := due(float64(k)), due(float64(k+1))
			i := Interval{At: float64(k), Seconds: 1, Intended: to - from, Latency: NewCoarseHistogram()}
			i.Good = min(due(float64(k+1)-latency)-due(float64(k)-latency), int64(capacity))
			i.Latency.Record(seconds(latency))
			r.Intervals = append(r.Intervals, i)
		}
		kept := 0
		for _, s := range r.Steps() {
			if !s.KeptUp {
				break
			}
			kept++
		}
		if kept != want {
			t.Errorf("with a latency of %g s and at most %d/s, %d steps of the ramp kept up, want %d", latency, capacity, kept, want)
		}
	}
	f(0.001, 1e6, 10)
	f(0.15, 1e6, 10)
	f(0.02, 450, 4) // the fifth step has 550 requests
	f(0.001, 450, 4)
	f(0.001, 100, 0) // the first step has 150
}

// due returns how many requests of a ramp of 100..1100/s in 10 s are due after so many seconds.
func due(seconds float64) int64 {
	s := max(seconds, 0)
	return int64(100*s + 50*s*s)
}
