package plan

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/report"
)

// Step is one request of a flow.
type Step struct {
	Name    string
	Method  string // "" is GET
	Path    string // template of path and query, begins with "/"
	Headers []Header
	Body    string // template
	Status  []int  // of good answers; none: 200 to 299
	// Think is how long the device waits before this step, at random up to
	// ThinkMax if that is longer.
	Think, ThinkMax time.Duration
	// Capture takes values from the answer's JSON for later steps: the path of each
	// by the variable's name, such as "execution.jobId".
	Capture map[string]string
}

// Flow is the sequence of steps that one arrival of a device performs.
type Flow struct {
	Name   string
	Weight float64 // its share of the arrivals, relative to the other flows
	Steps  []Step
}

// Plan describes a run. Run validates it; the zero values named here are the defaults.
type Plan struct {
	URL           string        // scheme://host[:port]; a path is ignored, the flows have theirs
	V311          bool          // with an MQTT target: version 3.1.1 instead of 5
	MQTTKeepAlive time.Duration // requested in CONNECT, whole seconds; 0: none, unless the target sets one
	Unix          string        // path of a Unix socket to connect to instead
	Scenario      string        // the flows' name, for the report
	Flows         []Flow
	Headers       []Header // of every request, before the step's own

	Stages      []Stage // Open loop; none: closed loop
	Poisson     bool    // else constant arrivals
	Connections int     // open loop: how many requests share; closed loop: the concurrency
	Duration    time.Duration
	Count       int64 // requests (flows, of a scenario) to measure, 0: until Duration is over
	Warmup      time.Duration
	Things      Names
	Jobs        Names
	Seed        uint64

	KeepAlive      float64        // share of requests that leave their connection open
	ReconnectAfter time.Duration  // replaces connections of this age, 0: never
	Timeout        time.Duration  // of connecting, and of a request from its send to its last byte
	MaxBody        int            // bytes
	TLS            *tls.Config    // for https; nil: the defaults
	Verify         *answer.Verify // nil: answers are checked, but their URLs are not opened

	// OnProgress is called about once a second. It must not block.
	OnProgress func(Progress)
}

// Progress is the state of a run, for a progress bar.
type Progress struct {
	Elapsed, Total time.Duration // Total is 0 if the run ends by count
	Warmup         bool
	Rate           float64 // good answers per second, of the last interval
	Timed          int64   // answers in the percentiles; 0: there are no percentiles
	P50, P99       time.Duration
	Good, Failed   int64 // since the measured part began
	Count, Done    int64 // of a run by count (else 0): the count, and how many are done
}

// CompiledStep is a Step ready to be sent.
type CompiledStep struct {
	*Step
	Request  *Request
	Accepted map[int]bool // statuses of good answers; nil: 2xx
	Op       int          // index among the operations of the report
	capture  []capture
}

// capture is one value to take from an answer.
type capture struct {
	slot int
	path []string
}

// CompiledFlow is a Flow ready to be sent.
type CompiledFlow struct {
	Steps    []CompiledStep
	Until    float64 // the cumulative share of the weights, this flow included
	Captures int     // slots that its steps fill
}

const (
	// maxSkew is the largest Zipf exponent. With it, all but one draw in a thousand are the
	// first name; with far larger ones, drawing may never end.
	maxSkew = 10
	// maxWeight is a flow's largest weight, so that weights can be added up.
	maxWeight = 1_000_000_000
)

// Validate returns an error that names the flag if the plan cannot be run.
func (p *Plan) Validate() error {
	switch {
	case len(p.Flows) == 0:
		return errors.New("cannot run a plan without requests")
	case p.Connections < 1 || p.Connections > 1_000_000:
		return fmt.Errorf("cannot use %d connections: 1 to 1000000; see --connections, --concurrency", p.Connections)
	case p.Timeout < time.Millisecond:
		return fmt.Errorf("cannot use a timeout of %s: at least 1ms; see --timeout", p.Timeout)
	case p.KeepAlive < 0 || p.KeepAlive > 1:
		return fmt.Errorf("cannot keep %g of the connections: 0 to 1; see --keep-alive", p.KeepAlive)
	case p.Duration < 0 || p.Warmup < 0 || p.Count < 0 || p.ReconnectAfter < 0 || p.MaxBody < 0:
		return errors.New("cannot run for a time or count below zero; see --duration, --warmup, --count, --reconnect-after")
	case max(p.Duration, p.Warmup, p.Timeout) > maxLength:
		return errors.New("cannot run or wait for longer than a year; see --duration, --warmup, --timeout")
	case p.Duration == 0 && p.Count == 0:
		return errors.New("cannot run without an end; see --duration, --count")
	case p.Things.width == 0 || p.Jobs.width == 0:
		return errors.New("cannot run without names of things and jobs; see --things, --jobs")
	}
	for _, n := range []Names{p.Things, p.Jobs} {
		if n.Spread == Zipf && !(n.Skew > 1 && n.Skew <= maxSkew) {
			return fmt.Errorf("cannot use a Zipf exponent of %g: above 1, up to %d; see --zipf", n.Skew, maxSkew)
		}
	}
	return p.validateMQTT()
}

// Target returns the scheme and host of the plan's URL.
func (p *Plan) Target() (u *url.URL, err error) {
	// Only scheme and host are of interest, and the path may have {holes}.
	origin := p.URL
	if i := strings.Index(origin, "://"); i >= 0 {
		if j := strings.IndexAny(origin[i+3:], "/?#"); j >= 0 {
			origin = origin[:i+3+j]
		}
	}
	u, err = url.Parse(origin)
	if err != nil {
		return nil, fmt.Errorf("cannot use target %q: it is not a URL", report.Target(p.URL)) // err would repeat it in full
	}
	if !p.MQTT() && u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return nil, fmt.Errorf("cannot use target %q: it is not http://host[:port]/path, https://…, mqtt://… or mqtts://… (a user's name and password go into a header: see --header)", report.Target(p.URL))
	}
	return u, nil
}

// Compile prepares all flows for sending to host.
func (p *Plan) Compile(host string) ([]CompiledFlow, []string, error) {
	var flows []CompiledFlow
	var names []string
	total := 0.0
	for i := range p.Flows {
		f := &p.Flows[i]
		if err := CheckWeight(f.Weight); err != nil {
			return nil, nil, fmt.Errorf("cannot use flow %q: %w", f.Name, err)
		}
		c, err := compileFlow(f, p.wire(host), len(names))
		if err != nil {
			return nil, nil, fmt.Errorf("cannot use flow %q: %w", f.Name, err)
		}
		for _, s := range f.Steps {
			names = append(names, operationName(f, &s))
		}
		total += f.Weight
		c.Until = total
		flows = append(flows, c)
	}
	for i := range flows {
		flows[i].Until /= total
	}
	flows[len(flows)-1].Until = 1
	return flows, names, nil
}

func operationName(f *Flow, s *Step) string {
	switch {
	case s.Name == "" || (len(f.Steps) == 1 && (s.Name == f.Name || s.Name == "1")):
		return f.Name
	case f.Name == "":
		return s.Name
	}
	return f.Name + "/" + s.Name
}

// wire is the protocol that requests are compiled for.
type wire struct {
	mqtt   bool
	host   string   // of HTTP
	shared []Header // of HTTP, before each step's own
}

func (p *Plan) wire(host string) wire { return wire{mqtt: p.MQTT(), host: host, shared: p.Headers} }

// request compiles a step's request.
func (w wire) request(s *Step, known variables) (*Request, error) {
	if w.mqtt {
		return newPublish(s, w.shared, known)
	}
	method := s.Method
	if method == "" {
		method = "GET"
	}
	headers := append(append([]Header(nil), w.shared...), s.Headers...)
	return newRequest(method, w.host, s.Path, headers, s.Body, known)
}

// compileFlow compiles a flow; its first step is operation op of the report.
func compileFlow(f *Flow, w wire, op int) (CompiledFlow, error) {
	c := CompiledFlow{}
	known := variables{}
	if len(f.Steps) == 0 {
		return c, errors.New("it has no steps")
	}
	for i := range f.Steps {
		s := &f.Steps[i]
		step, err := compileStep(s, w, known)
		if err != nil {
			return c, fmt.Errorf("step %q: %w", s.Name, err)
		}
		step.Op = op + i
		c.Steps = append(c.Steps, step)
	}
	c.Captures = len(known)
	return c, nil
}

// compileStep compiles a step and adds the variables that it captures to known.
func compileStep(s *Step, w wire, known variables) (CompiledStep, error) {
	r, err := w.request(s, known)
	if err != nil {
		return CompiledStep{}, err
	}
	step := CompiledStep{Step: s, Request: r}
	if think := max(s.Think, s.ThinkMax); think > maxLength {
		return step, fmt.Errorf("think time %s is longer than a year", think)
	}
	for _, code := range s.Status {
		if code < 200 || code > 599 {
			return step, fmt.Errorf("status %d is not within 200 and 599", code)
		}
		if step.Accepted == nil {
			step.Accepted = map[int]bool{}
		}
		step.Accepted[code] = true
	}
	for name, path := range s.Capture {
		if holeName("{"+name+"}") != name {
			return step, fmt.Errorf("cannot capture %q: a variable's name is letters and digits", name)
		}
		if path == "" {
			return step, fmt.Errorf("cannot capture %q: it does not say from where, as in execution.jobId", name)
		}
		slot, ok := known[name]
		if !ok {
			slot = len(known)
			known[name] = slot
		}
		step.capture = append(step.capture, capture{slot, strings.Split(path, ".")})
	}
	return step, nil
}

// Wait draws how long a device waits before the step.
func (s *Step) Wait(rng *rand.Rand) time.Duration {
	if s.ThinkMax > s.Think {
		return s.Think + time.Duration(rng.Int64N(int64(s.ThinkMax-s.Think)))
	}
	return s.Think
}

// Open reports whether the plan is an open loop.
func (p *Plan) Open() bool { return len(p.Stages) > 0 }

// Schedule returns an open loop's arrivals, those of the warm-up, at the first rate, included.
// They are the same each time.
func (p *Plan) Schedule() *Arrivals {
	stages := p.Stages
	if p.Warmup > 0 {
		from := max(stages[0].From, stages[0].To/100)
		stages = append([]Stage{{From: from, To: from, Length: p.Warmup}}, stages...)
	}
	return NewArrivals(stages, p.Poisson, p.Seed)
}

// MaxArrivals returns how many arrivals of the measured part there may be.
func (p *Plan) MaxArrivals() int64 {
	if p.Count > 0 {
		return p.Count
	}
	return math.MaxInt64
}

// CheckWeight returns an error if a flow's weight is invalid.
func CheckWeight(w float64) error {
	if !(w > 0 && w <= maxWeight) {
		return fmt.Errorf("weight %g is not above zero and at most %d", w, maxWeight)
	}
	return nil
}

// CheckFlow returns the error that Run would return for a flow's steps or the shared headers, with an HTTP target or,
// if its first step is a PUBLISH, an MQTT target.
func CheckFlow(f Flow, shared []Header) error {
	mqtt := len(f.Steps) > 0 && f.Steps[0].Method == "PUBLISH"
	_, err := compileFlow(&f, wire{mqtt: mqtt, host: "localhost", shared: shared}, 0)
	return err
}

// Idempotent reports whether the request may be sent again after its connection broke.
func (s *CompiledStep) Idempotent() bool {
	return s.Request.Method == "GET" || s.Request.Method == "HEAD"
}
