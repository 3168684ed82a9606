package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
	"jobgate/bench/report"
)

// Bench runs jobgate bench on the load's core and returns its report.
func Bench(ctx context.Context, o *setup.Options, args ...string) (*report.Result, error) {
	return BenchWith(ctx, o, nil, args...)
}

// BenchWith is Bench with additional environment variables.
func BenchWith(ctx context.Context, o *setup.Options, environment []string, args ...string) (*report.Result, error) {
	args = append([]string{"-c", strconv.Itoa(o.LoadCore), o.Jobgate, "bench", "--quiet", "--json", "-"}, args...)
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

func Percentiles(r *report.Result) string {
	text := table.ShortDuration(float64(r.Latency.Percentile(50))) + ", " + table.ShortDuration(float64(r.Latency.Percentile(99)))
	if r.Generator.Limited != "" {
		text += " (the generator's own delay shows)"
	}
	if r.Counts.Failed > 0 {
		text += fmt.Sprintf(" (%d failed)", r.Counts.Failed)
	}
	return text
}

// BenchUntil runs jobgate bench on the load's core until ctx ends, and returns its report.
func BenchUntil(ctx context.Context, o *setup.Options, args ...string) (*report.Result, error) {
	args = append([]string{"-c", strconv.Itoa(o.LoadCore), o.Jobgate, "bench", "--quiet", "--json", "-"}, args...)
	cmd := exec.CommandContext(ctx, "taskset", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it still writes its report
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run() // returns an error after an interrupt
	r, readErr := report.ReadJSON(&stdout)
	if readErr != nil {
		return nil, fmt.Errorf("jobgate bench: %w\n%s", errors.Join(readErr, err), &stderr)
	}
	return r, nil
}
