package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"jobgate/bench/report"
)

// bench runs jobgate bench on the load's core and returns its report.
func bench(ctx context.Context, o *options, args ...string) (*report.Result, error) {
	return benchWith(ctx, o, nil, args...)
}

// benchWith is bench with more in its environment.
func benchWith(ctx context.Context, o *options, environment []string, args ...string) (*report.Result, error) {
	args = append([]string{"-c", strconv.Itoa(o.loadCore), o.jobgate, "bench", "--quiet", "--json", "-"}, args...)
	cmd := exec.CommandContext(ctx, "taskset", args...)
	cmd.Env = append(os.Environ(), environment...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err == nil {
		return report.ReadJSON(bytes.NewReader(text))
	}
	if r, readErr := report.ReadJSON(bytes.NewReader(text)); readErr == nil {
		return nil, fmt.Errorf("jobgate bench: %w: %v\n%s", err, r.Errors, &stderr)
	}
	return nil, fmt.Errorf("jobgate bench: %w\n%s", err, &stderr)
}

// compareGenerator compares jobgate bench with wrk at saturating one core with the same
// connections, and says which rates it holds in an open loop.
func compareGenerator(ctx context.Context, o *options) error {
	if err := o.bareAnswer(ctx); err != nil {
		return err
	}
	fast, fastPort, err := startPeer(o, o.serverCore, peerFasthttp)
	if err != nil {
		return err
	}
	defer fast.stop()
	nginx, nginxPort, err := startNginx(o, o.serverCore, "nginx-file.conf", settings{})
	if err != nil {
		return err
	}
	defer nginx.stop()
	fmt.Printf("## Load generator\n\nOn core %d, %d connections, %s a turn; the target on core %d.\n\n", o.loadCore, o.connections, o.length, o.serverCore)
	for _, target := range []struct {
		title string
		p     *process
		url   string
	}{{"Saturating fasthttp", fast, local(fastPort, "/hot")}, {"Saturating nginx", nginx, local(nginxPort, "/hot")}} {
		if _, err := target.p.answer(ctx, target.url); err != nil {
			return err
		}
		all := []*contestant{
			{name: "wrk", reference: true, server: target.p, run: func(ctx context.Context) (turn, error) { return wrkWithCPU(ctx, o, target.url) }},
			{name: "jobgate bench", goal: "≥ 0.90", server: target.p, run: func(ctx context.Context) (turn, error) {
				r, err := bench(ctx, o, "--concurrency", strconv.Itoa(o.connections), "--duration", o.length.String(), "--warmup", "0s", target.url)
				if err != nil {
					return turn{}, err
				}
				cpu := time.Duration(r.Generator.CPUSeconds * 1e9 / float64(r.Counts.Good+r.Counts.Failed))
				return turn{
					rate: r.Rate(), p50: r.Latency.Percentile(50), p99: r.Latency.Percentile(99),
					good: r.Counts.Good, failed: r.Counts.Failed, cpu: cpu,
				}, nil
			}},
		}
		if err := takeTurns(ctx, o, all); err != nil {
			return err
		}
		printTurns(target.title, all)
	}
	return holdRates(ctx, o, local(fastPort, "/hot"))
}

// holdRates asks for higher and higher rates until the generator says that it cannot.
func holdRates(ctx context.Context, o *options, url string) error {
	fmt.Printf("### Rates held in an open loop\n\n")
	t := newTable("asked for", "good answers", "off by", "own delay p50", "p99", "CPU", "<says of itself")
	for _, rate := range []float64{1000, 5000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000} {
		r, err := bench(ctx, o, "--rate", fmt.Sprintf("%.0f/s", rate), "--arrivals", "constant", "--duration", o.length.String(), "--warmup", "500ms", url)
		if err != nil {
			return err
		}
		verdict := "fine"
		switch {
		case r.Generator.Limited != "":
			verdict = "it is the bottleneck"
		case r.Counts.Failed > 0 || r.Rate() < 0.99*rate:
			verdict = "the target did not keep up"
		}
		t.add(thousands(rate)+"/s", thousands(r.Rate())+"/s", fmt.Sprintf("%+.2f %%", (r.Rate()/rate-1)*100),
			shortDuration(float64(r.Lag.Percentile(50))), shortDuration(float64(r.Lag.Percentile(99))), fmt.Sprintf("%.0f %%", r.Generator.CPUShare*100), verdict)
		if verdict != "fine" && r.Rate() < 0.95*rate {
			break
		}
	}
	fmt.Print(t)
	return ctx.Err()
}

// sleep waits, or returns early when the run is interrupted.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
