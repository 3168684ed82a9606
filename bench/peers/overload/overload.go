// Package overload offers one core more load than it can serve.
package overload

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"jobgate/bench/peers/account"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
	"jobgate/bench/report"
)

const (
	crowdURLs        = 100  // signed URLs in each device's document
	crowdConnections = 1000 // of the open loop
)

// crowdFactors are the offered rates, as multiples of the peak.
var crowdFactors = []float64{1, 1.5, 2, 3}

// crowd is one jobgate under overload, with its results at each of crowdFactors.
type crowd struct {
	server.Endpoint
	*setup.Options
	name  string
	loads [][]result // by factor, then by round
}

// result is the result of one turn.
type result struct {
	peak          float64 // the round's good answers a second in a closed loop
	offered, good float64 // a second
	cpuPeak, cpu  float64 // server's CPU seconds a good answer, at the peak and in this turn
	served, shed  [2]time.Duration
	lag           [2]time.Duration // the generator's delay in sending although a connection was free
	others        int64            // neither good nor a refusal with Retry-After
	limited       string           // why the generator was the bottleneck; "": it was not
}

// Compare offers one core up to three times the rate that it can serve, of documents with 100 URLs for each device. With
// -before, two programs take turns.
//
//	each round, each program:  closed loop ─▶ peak ─▶ open loop at 1, 1.5, 2, 3 peaks on 1,000 connections
func Compare(ctx context.Context, o *setup.Options) error {
	if err := writeCrowd(filepath.Join(o.Folder, "crowd.json")); err != nil {
		return err
	}
	var all []*crowd
	defer func() {
		for _, c := range all {
			c.Stop()
		}
	}()
	for _, name := range []string{"before", "jobgate"} {
		own := *o
		if name == "before" {
			if o.Before == "" {
				continue
			}
			own.Jobgate = o.Before
		}
		p, port, err := server.StartJobgate(&own, o.ServerCore, server.Settings{Crowd: true})
		if err != nil {
			return err
		}
		all = append(all, &crowd{Endpoint: server.Endpoint{Process: p, Port: port}, Options: o, name: name, loads: make([][]result, len(crowdFactors))})
		if body, err := p.Answer(ctx, process.URL(port, "/crowd/thing-1")); err != nil {
			return err
		} else if n := strings.Count(string(body), "X-Amz-Signature="); n != crowdURLs {
			return fmt.Errorf("jobgate's answer has %d URLs, want %d", n, crowdURLs)
		}
	}
	fmt.Printf("## Overload\n\nServer on core %d, jobgate bench on core %d; documents of %d URLs a device; open loop, %d connections, %s a turn after %s that do not count.\n\n",
		o.ServerCore, o.LoadCore, crowdURLs, crowdConnections, o.Length, settle)
	for round := range o.Rounds {
		for i := range all {
			if err := all[(i+round)%len(all)].round(ctx); err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	printCrowds(all)
	return nil
}

// writeCrowd writes a document with 100 URLs for each device.
func writeCrowd(path string) error {
	var b strings.Builder
	b.WriteString(`{"operation":"install","files":[`)
	for i := range crowdURLs {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"${aws:iot:s3-presigned-url-v2:https://%s/%s/${thingName}/part-%d.bin}"`, account.URLHost, account.BucketName, i)
	}
	b.WriteString("]}")
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// settle is the warm-up before each measurement: jobgate detects the overload, and both ends allocate buffers for 1,000
// connections.
const settle = 4 * time.Second

// measured runs jobgate bench on the documents, and returns the server's CPU time in the measured part.
func (c *crowd) measured(ctx context.Context, args ...string) (*report.Result, time.Duration, error) {
	stop := make(chan struct{})
	samples := watch(c.Process, stop)
	args = append(args, "--things", "100000", "--warmup", settle.String(), "--duration", c.Length.String(), process.URL(c.Port, "/crowd/{thingName}"))
	r, err := load.Bench(ctx, c.Options, args...)
	close(stop)
	u := <-samples
	if err != nil {
		return nil, 0, err
	}
	return r, u.between(r.Started, time.Duration(r.Seconds*float64(time.Second))), nil
}

// round measures the peak and then offers its multiples.
func (c *crowd) round(ctx context.Context) error {
	r, cpu, err := c.measured(ctx, "--concurrency", strconv.Itoa(c.Connections))
	if err != nil {
		return err
	}
	peak, cpuPeak := r.Rate(), cpu.Seconds()/float64(max(1, r.Counts.Good))
	for i, factor := range crowdFactors {
		r, cpu, err := c.measured(ctx, "--rate", fmt.Sprintf("%.0f/s", peak*factor), "--connections", strconv.Itoa(crowdConnections))
		if err != nil {
			return err
		}
		l := result{
			peak: peak, cpuPeak: cpuPeak, offered: r.Offered(), good: r.Rate(), cpu: cpu.Seconds() / float64(max(1, r.Counts.Good)), limited: r.Generator.Limited,
			served: percentiles(r.Latency), shed: percentiles(r.Shed), lag: percentiles(r.Lag), others: r.Counts.Failed,
		}
		if r.Shed != nil {
			l.others -= r.Shed.Count()
		}
		c.Progress("%s at %g: peak %.0f/s, offered %.0f/s, good %.0f/s (%.0f %%), admitted %v, refused %v, CPU %.0f µs (peak %.0f µs), others %d, generator late %v %s",
			c.name, factor, peak, l.offered, l.good, 100*l.good/peak, l.served, l.shed, l.cpu*1e6, cpuPeak*1e6, l.others, l.lag, l.limited)
		c.loads[i] = append(c.loads[i], l)
	}
	return nil
}

// percentiles returns the median and the 99th percentile; 0 if nothing was measured.
func percentiles(h *report.Histogram) (p [2]time.Duration) {
	if h != nil {
		p[0], p[1] = h.Percentile(50), h.Percentile(99)
	}
	return p
}

// printCrowds prints the medians as a Markdown table.
func printCrowds(all []*crowd) {
	t := table.New("<server", "peak", "offered", "goodput", "of the peak", "CPU for good answers", "admitted p50", "p99", "refused p50", "p99", "generator late p99", "CPU a good answer", "failed")
	limited := 0
	for i, factor := range crowdFactors {
		for _, c := range all {
			of := func(figure func(result) float64) float64 {
				var values []float64
				for _, l := range c.loads[i] {
					values = append(values, figure(l))
				}
				return rounds.Median(values)
			}
			others := 0.0
			for _, l := range c.loads[i] {
				others += float64(l.others)
				if l.limited != "" {
					limited++
				}
			}
			t.Add(fmt.Sprintf("%s, %g×", c.name, factor),
				table.Thousands(of(func(l result) float64 { return l.peak }))+"/s",
				table.Thousands(of(func(l result) float64 { return l.offered }))+"/s",
				table.Thousands(of(func(l result) float64 { return l.good }))+"/s",
				table.Percent(of(func(l result) float64 { return l.good / l.peak })),
				table.Percent(of(func(l result) float64 { return l.cpuPeak / l.cpu })),
				table.ShortDuration(of(func(l result) float64 { return float64(l.served[0]) })),
				table.ShortDuration(of(func(l result) float64 { return float64(l.served[1]) })),
				table.ShortDuration(of(func(l result) float64 { return float64(l.shed[0]) })),
				table.ShortDuration(of(func(l result) float64 { return float64(l.shed[1]) })),
				table.ShortDuration(of(func(l result) float64 { return float64(l.lag[1]) })),
				table.Microseconds(of(func(l result) float64 { return l.cpu * 1e9 })), table.Thousands(others))
		}
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; the peak is each round's, in a closed loop of %d. Goal at 3×: goodput ≥ 80 %% of the peak, p99 ≤ 100 ms for\n"+
		"admitted and ≤ 25 ms for refused requests, both from the intended send, the generator's own delay included. CPU for good answers is the CPU of one at the peak over that\n"+
		"here: it does not depend on other load on the machine. Failed are answers that are neither good nor a refusal with Retry-After.\n\n",
		len(all[0].loads[0]), all[0].Connections)
	if limited > 0 {
		fmt.Printf("**In %d turns the generator was the bottleneck.**\n\n", limited)
	}
}
