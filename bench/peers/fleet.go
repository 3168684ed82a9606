package main

import (
	"context"
	"fmt"
	"time"

	"jobgate/bench/report"
)

// runFleet plays a fleet in which every device asks for its own document once a
// minute, and watches the gateway's memory and CPU meanwhile.
func runFleet(ctx context.Context, o *options) error {
	p, port, err := startJobgate(o, o.serverCore, settings{})
	if err != nil {
		return err
	}
	defer p.stop()
	if _, err := p.answer(ctx, local(port, "/things/thing-0/document")); err != nil {
		return err
	}
	rate := float64(o.things) / 60
	args := []string{
		"--rate", fmt.Sprintf("%.3f/s", rate), "--things", fmt.Sprint(o.things), "--spread", "sequential", "--connections", "1000",
		"--keep-alive", o.keepAlive, "--duration", o.fleet.String(), "--warmup", "10s", local(port, "/things/{thingName}/document"),
	}
	watched := watch(p, o.fleet)
	r, err := bench(ctx, o, args...)
	samples := watched()
	if err != nil {
		return err
	}
	fmt.Printf("## A fleet of %s devices, each polling once a minute\n\n%s requests a second for %s, a URL signed for each; gateway on core %d, fleet on core %d.\n\n",
		thousands(float64(o.things)), thousands(rate), o.fleet, o.serverCore, o.loadCore)
	printFleet(r, samples)
	return nil
}

// sample is the gateway at one moment of a run.
type sample struct {
	rss int64
	cpu time.Duration
	at  time.Time
}

// watch samples a process until the function that it returns is called.
func watch(p *process, length time.Duration) func() []sample {
	stop, samples := make(chan struct{}), make(chan []sample)
	go func() {
		var all []sample
		tick := time.NewTicker(max(length/60, time.Second/2))
		defer tick.Stop()
		for {
			all = append(all, sample{p.rss(), p.cpu(), time.Now()})
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
	t := newTable("<", "")
	line := func(name, format string, args ...any) { t.add(name, fmt.Sprintf(format, args...)) }
	line("good answers", "%s (%s/s)", thousands(float64(r.Counts.Good)), thousands(r.Rate()))
	line("failed", "%s", thousands(float64(r.Counts.Failed)))
	for _, e := range r.Errors {
		line(e.Kind, "%s: %s", thousands(float64(e.Count)), e.Example)
	}
	if r.Generator.Limited != "" {
		line("latency", "not reported: %s", r.Generator.Limited)
	} else {
		for _, q := range []float64{50, 90, 99, 99.9, 99.99} {
			line(fmt.Sprintf("p%g", q), "%s", shortDuration(float64(r.Latency.Percentile(q))))
		}
		line("max", "%s", shortDuration(float64(r.Latency.Max())))
		line("the generator's own delay, p99", "%s", shortDuration(float64(r.Lag.Percentile(99))))
	}
	first, last := all[0], all[len(all)-1]
	line("gateway's CPU", "%.0f %% of its core", (last.cpu-first.cpu).Seconds()/last.at.Sub(first.at).Seconds()*100)
	third := len(all) / 3
	line("gateway's memory", "%.1f MB after a third, %.1f MB at the end, at most %.1f MB", megabytes(all[third].rss), megabytes(last.rss), megabytes(peak(all)))
	line("generator's CPU", "%.0f %% of its core", r.Generator.CPUShare*100)
	fmt.Print(t)
}

func peak(all []sample) (most int64) {
	for _, s := range all {
		most = max(most, s.rss)
	}
	return most
}

func megabytes(n int64) float64 { return float64(n) / (1 << 20) }
