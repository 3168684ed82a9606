package load

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"jobgate/bench/report"
)

// Limits beyond which the generator, not the target, determined the figures.
const (
	busyShare = 0.95             // of the CPU available to it: it could not have sent more
	lateFloor = time.Millisecond // late sends below this are reported, but do not invalidate a run
	lateShare = 0.2              // of the latency's p99 that may be the generator's own delay
)

// finish completes a result with times, CPU and an assessment of the generator.
func (r *run) finish(res *report.Result, interrupted bool) {
	r.describe(res)
	res.Started = r.clock.start.Add(r.plan.Warmup)
	res.Interrupted = interrupted
	res.Seconds, res.DueSeconds = r.lengths(interrupted)
	if r.wall > 0 {
		res.Generator.CPUSeconds = r.cpu.Seconds()
		res.Generator.CPUShare = r.cpu.Seconds() / (r.wall.Seconds() * float64(runtime.GOMAXPROCS(0)))
	}
	res.Verified = r.verifier.Result()
	assess(res)
}

// lengths returns the seconds of the measured part, up to the last answer that counts in its rate, and of its sending window,
// 0 in a closed loop. A request that times out after the end does not lengthen a run, and a target that is silent until the interrupt
// does not shorten it.
func (r *run) lengths(interrupted bool) (measured, window float64) {
	lastDue, done, good := r.recorder.last()
	end := r.end
	if interrupted {
		end = min(end, r.clock.now())
		if stopped := r.stopped.Load(); stopped != nil {
			end = min(end, stopped.Sub(r.clock.start))
		}
	}
	switch byTime := r.plan.Duration > 0 && r.plan.Count == 0; {
	case interrupted, byTime:
		done, lastDue = max(good, end), end
	case done == 0:
		done = r.clock.now()
	case r.plan.Open():
		lastDue = min(max(lastDue, r.recorder.planned.Next()), done) // up to when the next would be due
	}
	if r.plan.Open() {
		window = max(lastDue-r.plan.Warmup, 0).Seconds()
	}
	return max(done-r.plan.Warmup, 0).Seconds(), window
}

// assess decides whether the generator was the bottleneck, and adds warnings that matter for the figures.
func assess(res *report.Result) {
	g := &res.Generator
	warn := func(format string, args ...any) { res.Warnings = append(res.Warnings, fmt.Sprintf(format, args...)) }
	if v := res.Verified; v != nil && v.URLs == 0 {
		warn("nothing was verified: there is no presigned URL in the %s %s looked into", humanize.Comma(v.Documents), english.PluralWord(int(v.Documents), "answer", ""))
	}
	if res.Plan.Loop == report.ClosedLoop {
		if g.CPUShare >= busyShare {
			warn("the generator used %s of its CPU: the rate may be its own ceiling, not the target's", report.Share(g.CPUShare))
		}
		return
	}
	lag, latency := res.Lag.Percentile(99), res.Latency.Percentile(99)
	const fix = "give it more cores, use more load machines (bench merge), or use a lower rate"
	switch {
	case g.CPUShare >= busyShare:
		g.Limited = fmt.Sprintf("It used %s of the CPU it may use: %s.", report.Share(g.CPUShare), fix)
	case lag > lateFloor && float64(lag) > lateShare*float64(latency):
		g.Limited = fmt.Sprintf("1 %% of its requests were sent %s or more too late although a connection was free (p99 latency %s): %s.",
			report.Duration(lag), report.Duration(latency), fix)
	case lag > 0 && float64(lag) > lateShare*float64(latency):
		warn("a good part of the p99 (%s) is the generator's own delay (p99 %s)", report.Duration(latency), report.Duration(lag))
	}
	if c := res.Counts; c.Waited > c.Intended/100 {
		warn("%s of the requests were due while all %s connections were busy; that wait is in their latency (see --connections)",
			report.Share(float64(c.Waited)/float64(c.Intended)), humanize.Comma(int64(res.Plan.Connections)))
	}
}

// cpuModel returns the processor's name, if the system reports it.
func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return ""
}

// describe sets the fields that do not come from the samples.
func (r *run) describe(res *report.Result) {
	res.Plan = r.plan.Describe(r.flows)
	res.Machines = []report.Machine{{CPU: cpuModel(), Cores: runtime.GOMAXPROCS(0), OS: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}}
	res.Started = time.Now()
	if r.dialer != nil {
		res.Plan.TLS = r.dialer.protocol
		res.Counts.Connects = r.dialer.connects.Load()
		res.Counts.Handshakes = r.dialer.handshakes.Load()
		res.Counts.Resumed = r.dialer.resumed.Load()
	}
}
