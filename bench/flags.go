package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"jobgate/bench/load/plan"

	"github.com/spf13/pflag"
)

// flags are the options of bench run.
type flags struct {
	rate, arrivals                   string
	concurrency, connections         int
	duration, warmup                 time.Duration
	count                            int64
	things, thingPrefix              string
	jobs, jobPrefix                  string
	spread                           string
	zipf                             float64
	seed                             uint64
	scenario, method, body, bodyFile string
	headers                          []string
	status                           []int
	keepAlive                        string
	reconnectAfter, timeout          time.Duration
	maxBody                          int
	unix                             string
	mqttVersion                      string
	mqttKeepAlive                    time.Duration
	tls                              tlsFlags
	verify                           verifyFlags
	assert                           string
	quiet                            bool
	output                           output
}

func (f *flags) register(set *pflag.FlagSet) {
	set.SortFlags = false
	set.StringVar(&f.rate, "rate", "1000/s", "open loop: requests to send, as a rate or ramp with an optional length (20000/s, 1000..50000/s:60s), several separated by commas")
	set.StringVar(&f.arrivals, "arrivals", "poisson", "open loop: poisson (independent devices) or constant")
	set.IntVar(&f.connections, "connections", 256, "open loop: connections; a request waits if none is free, and the wait counts")
	set.IntVar(&f.concurrency, "concurrency", 0, "closed loop with this many connections, instead of --rate")
	set.DurationVar(&f.duration, "duration", 10*time.Second, "how long to measure; if the stages of --rate have lengths, their sum")
	set.Int64Var(&f.count, "count", 0, "how many requests to measure (flows, of a scenario), instead of --duration")
	set.DurationVar(&f.warmup, "warmup", 2*time.Second, "load before the measured part; no figure includes it")
	set.StringVar(&f.scenario, "scenario", "", "YAML file with mixes, steps and think times; URL is then scheme://host[:port]")
	f.registerRequest(set)
	set.StringVar(&f.keepAlive, "keep-alive", "100%", "share of requests that keep their connection open for the next")
	set.DurationVar(&f.reconnectAfter, "reconnect-after", 0, "replace a connection of this age (0: never)")
	set.DurationVar(&f.timeout, "timeout", 5*time.Second, "maximum time to connect, and to wait for an answer")
	set.IntVar(&f.maxBody, "max-body", 16<<20, "maximum body of an answer, in bytes (0: no limit)")
	set.StringVar(&f.unix, "unix", "", "connect to this Unix socket; URL still gives Host and path")
	set.StringVar(&f.mqttVersion, "mqtt-version", "5", "MQTT version for an mqtt:// or mqtts:// target: 5 or 3.1.1")
	set.DurationVar(&f.mqttKeepAlive, "mqtt-keep-alive", time.Minute, "keep alive of the devices of an MQTT target: they send a PINGREQ after that long without sending anything (0: none)")
	f.tls.register(set)
	f.verify.register(set)
	f.output.register(set)
	set.StringVar(&f.assert, "assert", "", "conditions that decide the exit code: p99<5ms,errors<0.1%,rate>=19900/s")
	set.BoolVar(&f.quiet, "quiet", false, "no progress bar (there is none anyway when standard error is not a terminal)")
}

func (f *flags) registerRequest(set *pflag.FlagSet) {
	set.StringVar(&f.method, "method", "GET", "request method")
	set.StringArrayVarP(&f.headers, "header", "H", nil, "request header 'Name: value', {thingName} and {jobId} allowed; repeatable")
	set.StringVar(&f.body, "body", "", "request body, {thingName} and {jobId} allowed")
	set.StringVar(&f.bodyFile, "body-file", "", "file with the request body")
	set.IntSliceVar(&f.status, "status", nil, "statuses of good answers (default 200 to 299)")
	set.StringVar(&f.things, "things", "1", "number of distinct {thingName}, or their range (500000..999999)")
	set.StringVar(&f.thingPrefix, "thing-prefix", "thing-", "prefix of each {thingName}, before its number")
	set.StringVar(&f.jobs, "jobs", "1", "number of distinct {jobId}, or their range")
	set.StringVar(&f.jobPrefix, "job-prefix", "job-", "prefix of each {jobId}, before its number")
	set.StringVar(&f.spread, "spread", plan.Uniform, "how things are drawn: uniform, zipf, or sequential (each in turn)")
	set.Float64Var(&f.zipf, "zipf", 1.1, "exponent of --spread zipf, above 1")
	set.Uint64Var(&f.seed, "seed", 1, "seed of names, arrivals and think times")
}

// plan turns the flags into a plan against url; changed says which flags were given.
func (f *flags) plan(url string, changed func(string) bool) (*plan.Plan, error) {
	p := &plan.Plan{
		URL: url, Unix: f.unix, Duration: f.duration, Count: f.count, Warmup: f.warmup, Seed: f.seed,
		Connections: f.connections, ReconnectAfter: f.reconnectAfter, Timeout: f.timeout, MaxBody: f.maxBody,
	}
	for _, step := range []func() error{
		func() error { return f.setLoop(p, changed) },
		func() error { return f.rejectUnused(p, changed) },
		func() error { return f.setMQTT(p, changed) },
		func() error { return f.setNames(p) },
		func() (err error) { p.KeepAlive, err = parseShare("--keep-alive", f.keepAlive); return },
		func() (err error) { p.Headers, err = parseHeaders(f.headers); return },
		func() error { return f.setFlows(p, changed) },
		func() error { return rejectUnusedNames(p, changed) },
		func() (err error) { p.TLS, err = f.tls.config(); return },
		func() (err error) { p.Verify, err = f.verify.plan(p); return },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// setLoop chooses the open or closed loop and its duration.
func (f *flags) setLoop(p *plan.Plan, changed func(string) bool) error {
	if f.count > 0 && !changed("duration") {
		p.Duration = 0
	}
	if changed("concurrency") {
		if changed("rate") || changed("connections") || changed("arrivals") {
			return fmt.Errorf("cannot run a closed loop (--concurrency) with --rate, --arrivals or --connections: these are for the open loop")
		}
		p.Connections = f.concurrency
		return nil
	}
	stages, err := plan.ParseRate(f.rate)
	if err != nil {
		return fmt.Errorf("%w; see --rate", err)
	}
	switch f.arrivals {
	case "poisson":
		p.Poisson = true
	case "constant":
	default:
		return fmt.Errorf("cannot use arrivals %q: poisson or constant; see --arrivals", f.arrivals)
	}
	p.Stages = stages
	sum := time.Duration(0)
	for _, s := range stages {
		sum += s.Length
	}
	if stages[len(stages)-1].Length > 0 {
		if changed("duration") && f.duration != sum {
			return fmt.Errorf("cannot run for %s: the stages of --rate last %s; leave out --duration, or the last stage's length", f.duration, sum)
		}
		p.Duration = sum
	} else if p.Duration > 0 && sum >= p.Duration {
		return fmt.Errorf("cannot run for %s: the stages of --rate before the last take %s already; see --duration", p.Duration, sum)
	}
	return nil
}

// setMQTT gives each connection of an MQTT target its own thing, unless --things is given.
func (f *flags) setMQTT(p *plan.Plan, changed func(string) bool) error {
	if !p.MQTT() {
		return nil
	}
	if p.V311 = f.mqttVersion == "3.1.1"; !p.V311 && f.mqttVersion != "5" {
		return fmt.Errorf("cannot use MQTT version %q: 5 or 3.1.1; see --mqtt-version", f.mqttVersion)
	}
	p.MQTTKeepAlive = f.mqttKeepAlive
	if !changed("things") {
		f.things = strconv.Itoa(max(p.Connections, 1))
	}
	return nil
}

func (f *flags) setNames(p *plan.Plan) (err error) {
	if p.Things, err = plan.ParseNames(f.thingPrefix, f.things); err != nil {
		return fmt.Errorf("%w; see --things", err)
	}
	if p.Jobs, err = plan.ParseNames(f.jobPrefix, f.jobs); err != nil {
		return fmt.Errorf("%w; see --jobs", err)
	}
	switch f.spread {
	case plan.Uniform, plan.Zipf, plan.Sequential:
	default:
		return fmt.Errorf("cannot draw things %q: %s, %s or %s; see --spread", f.spread, plan.Uniform, plan.Zipf, plan.Sequential)
	}
	p.Things.Spread, p.Things.Skew, p.Jobs.Spread = f.spread, f.zipf, plan.Uniform
	return nil
}

// setFlows takes the requests from the scenario or, without one, from the flags.
func (f *flags) setFlows(p *plan.Plan, changed func(string) bool) error {
	path := pathOf(p.URL)
	if f.scenario != "" {
		for _, name := range []string{"method", "body", "body-file", "status"} {
			if changed(name) {
				return fmt.Errorf("cannot use --%s with --scenario: each step there has its own", name)
			}
		}
		if path != "/" {
			return fmt.Errorf("cannot use the path %q with --scenario: each step there has its own", path)
		}
		s, err := readScenario(f.scenario)
		if err != nil {
			return err
		}
		p.Scenario, p.Flows = s.name, s.flows
		p.Headers = append(s.headers, p.Headers...)
		return nil
	}
	body := f.body
	if f.bodyFile != "" {
		if body != "" {
			return fmt.Errorf("cannot send both --body and --body-file")
		}
		b, err := os.ReadFile(f.bodyFile)
		if err != nil {
			return fmt.Errorf("cannot read the body: %w", err)
		}
		body = string(b)
	}
	p.Flows = []plan.Flow{{Name: "request", Weight: 1, Steps: []plan.Step{{Method: f.method, Path: path, Body: body, Status: f.status}}}}
	return nil
}

// pathOf returns path and query of a URL unchanged, with their placeholders.
func pathOf(url string) string {
	_, rest, _ := strings.Cut(url, "://")
	i := strings.IndexAny(rest, "/?")
	if i < 0 {
		return "/"
	}
	path, _, _ := strings.Cut(rest[i:], "#")
	if path[0] == '?' {
		return "/" + path
	}
	return path
}

func parseHeaders(lines []string) ([]plan.Header, error) {
	var headers []plan.Header
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("cannot read header %q: it is not 'Name: value'; see --header", line)
		}
		headers = append(headers, plan.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
	}
	return headers, nil
}

// parseShare reads "90%" or "0.9".
func parseShare(flag, text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("cannot use share %q: 0%% to 100%%; see %s", text, flag)
	}
	return f, nil
}
