package documents

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
	"jobgate/bench/report"
)

// Fleet simulates a fleet in which every device requests its own document once a
// minute, and measures the gateway's memory and CPU meanwhile.
func Fleet(ctx context.Context, o *setup.Options) error {
	p, port, err := server.StartJobgate(o, o.ServerCore, server.Settings{})
	if err != nil {
		return err
	}
	defer p.Stop()
	if _, err := p.Answer(ctx, process.URL(port, "/things/thing-0/document")); err != nil {
		return err
	}
	rate := float64(o.Things) / 60
	args := []string{
		"--rate", fmt.Sprintf("%.3f/s", rate), "--things", fmt.Sprint(o.Things), "--spread", "sequential", "--connections", "1000",
		"--keep-alive", o.KeepAlive, "--duration", o.Fleet.String(), "--warmup", "10s", process.URL(port, "/things/{thingName}/document"),
	}
	watched := watch(p, o.Fleet)
	r, err := load.Bench(ctx, o, args...)
	samples := watched()
	if err != nil {
		return err
	}
	fmt.Printf("## A fleet of %s devices, each polling once a minute\n\n%s requests a second for %s, a URL signed for each; gateway on core %d, fleet on core %d.\n\n",
		table.Thousands(float64(o.Things)), table.Thousands(rate), o.Fleet, o.ServerCore, o.LoadCore)
	printFleet(r, samples)
	return nil
}

// sample is the gateway's memory and CPU time at one moment.
type sample struct {
	rss int64
	cpu time.Duration
	at  time.Time
}

// watch samples a process until the function that it returns is called.
func watch(p *process.Process, length time.Duration) func() []sample {
	stop, samples := make(chan struct{}), make(chan []sample)
	go func() {
		var all []sample
		tick := time.NewTicker(max(length/60, time.Second/2))
		defer tick.Stop()
		for {
			all = append(all, sample{p.RSS(), p.CPU(), time.Now()})
			select {
			case <-tick.C:
			case <-stop:
				samples <- all
				return
			}
		}
	}()
	return func() []sample {
		close(stop)
		return <-samples
	}
}

func printFleet(r *report.Result, all []sample) {
	t := table.New("<", "")
	line := func(name, format string, args ...any) { t.Add(name, fmt.Sprintf(format, args...)) }
	line("good answers", "%s (%s/s)", table.Thousands(float64(r.Counts.Good)), table.Thousands(r.Rate()))
	line("failed", "%s", table.Thousands(float64(r.Counts.Failed)))
	for _, e := range r.Errors {
		line(e.Kind, "%s: %s", table.Thousands(float64(e.Count)), e.Example)
	}
	if r.Generator.Limited != "" {
		line("latency", "not reported: %s", r.Generator.Limited)
	} else {
		for _, q := range []float64{50, 90, 99, 99.9, 99.99} {
			line(fmt.Sprintf("p%g", q), "%s", table.ShortDuration(float64(r.Latency.Percentile(q))))
		}
		line("max", "%s", table.ShortDuration(float64(r.Latency.Max())))
		line("the generator's own delay, p99", "%s", table.ShortDuration(float64(r.Lag.Percentile(99))))
	}
	first, last := all[0], all[len(all)-1]
	line("gateway's CPU", "%.0f %% of its core", (last.cpu-first.cpu).Seconds()/last.at.Sub(first.at).Seconds()*100)
	third := len(all) / 3
	line("gateway's memory", "%.1f MB after a third, %.1f MB at the end, at most %.1f MB", table.Megabytes(all[third].rss), table.Megabytes(last.rss), table.Megabytes(peak(all)))
	line("generator's CPU", "%.0f %% of its core", r.Generator.CPUShare*100)
	fmt.Print(t)
}

func peak(all []sample) (most int64) {
	for _, s := range all {
		most = max(most, s.rss)
	}
	return most
}
