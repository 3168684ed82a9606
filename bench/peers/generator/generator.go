// Package generator compares jobgate bench with wrk, and finds the rates that jobgate bench sustains.
package generator

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"jobgate/bench/peers/bare"
	"jobgate/bench/peers/load"
	"jobgate/bench/peers/process"
	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/server"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// Compare compares jobgate bench with wrk when both saturate one core with the same
// number of connections, and prints the rates that jobgate bench sustains in an open loop.
func Compare(ctx context.Context, o *setup.Options) error {
	if err := server.BareAnswer(ctx, o); err != nil {
		return err
	}
	fast, fastPort, err := server.StartBare(o, o.ServerCore, bare.Fasthttp)
	if err != nil {
		return err
	}
	defer fast.Stop()
	nginx, nginxPort, err := server.StartNginx(o, o.ServerCore, "nginx-file.conf", server.Settings{})
	if err != nil {
		return err
	}
	defer nginx.Stop()
	fmt.Printf("## Load generator\n\nOn core %d, %d connections, %s a turn; the target on core %d.\n\n", o.LoadCore, o.Connections, o.Length, o.ServerCore)
	for _, target := range []struct {
		title string
		p     *process.Process
		url   string
	}{{"Saturating fasthttp", fast, process.URL(fastPort, "/hot")}, {"Saturating nginx", nginx, process.URL(nginxPort, "/hot")}} {
		if _, err := target.p.Answer(ctx, target.url); err != nil {
			return err
		}
		all := []*rounds.Contestant{
			{Name: "wrk", Reference: true, Server: target.p, Run: func(ctx context.Context) (rounds.Turn, error) { return load.WrkWithCPU(ctx, o, target.url, "") }},
			{Name: "jobgate bench", Goal: "≥ 0.90", Server: target.p, Run: func(ctx context.Context) (rounds.Turn, error) {
				r, err := load.Bench(ctx, o, "--concurrency", strconv.Itoa(o.Connections), "--duration", o.Length.String(), "--warmup", "0s", target.url)
				if err != nil {
					return rounds.Turn{}, err
				}
				cpu := time.Duration(r.Generator.CPUSeconds * 1e9 / float64(r.Counts.Good+r.Counts.Failed))
				return rounds.Turn{
					Rate: r.Rate(), P50: r.Latency.Percentile(50), P99: r.Latency.Percentile(99),
					Good: r.Counts.Good, Failed: r.Counts.Failed, CPU: cpu,
				}, nil
			}},
		}
		if err := rounds.Take(ctx, o, all); err != nil {
			return err
		}
		rounds.Print(target.title, all)
	}
	return holdRates(ctx, o, process.URL(fastPort, "/hot"))
}

// holdRates measures increasing rates until one is missed by more than 5 %.
func holdRates(ctx context.Context, o *setup.Options, url string) error {
	fmt.Printf("### Rates held in an open loop\n\n")
	t := table.New("asked for", "good answers", "off by", "own delay p50", "p99", "CPU", "<says of itself")
	for _, rate := range []float64{1000, 5000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000} {
		r, err := load.Bench(ctx, o, "--rate", fmt.Sprintf("%.0f/s", rate), "--arrivals", "constant", "--duration", o.Length.String(), "--warmup", "500ms", url)
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
		t.Add(table.Thousands(rate)+"/s", table.Thousands(r.Rate())+"/s", fmt.Sprintf("%+.2f %%", (r.Rate()/rate-1)*100),
			table.ShortDuration(float64(r.Lag.Percentile(50))), table.ShortDuration(float64(r.Lag.Percentile(99))), fmt.Sprintf("%.0f %%", r.Generator.CPUShare*100), verdict)
		if verdict != "fine" && r.Rate() < 0.95*rate {
			break
		}
	}
	fmt.Print(t)
	return ctx.Err()
}
