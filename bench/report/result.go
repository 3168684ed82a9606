package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Format is the version of the JSON that WriteJSON writes and ReadJSON reads.
const Format = "jobgate-bench/1"

// The two kinds of load, Plan.Loop.
const (
	OpenLoop   = "open"   // requests arrive on a schedule, whatever the target does
	ClosedLoop = "closed" // each connection sends its next request after an answer
)

// Result is what one run, or several merged ones, measured. Times within a run are
// seconds since its measured part began. No figure includes the warm-up.
type Result struct {
	Format  string    `json:"format"`
	Started time.Time `json:"started"` // of the measured part
	Seconds float64   `json:"seconds"` // of the measured part, until its last good answer
	// DueSeconds is the part of Seconds in which requests were due. In the rest, the run
	// only waited for answers. Open loop only; 0: all of Seconds.
	DueSeconds  float64   `json:"due_seconds,omitempty"`
	Interrupted bool      `json:"interrupted,omitempty"`
	Plan        Plan      `json:"plan"`
	Machines    []Machine `json:"machines"`
	Counts      Counts    `json:"counts"`
	Errors      []Error   `json:"errors,omitempty"`
	// Latency is counted from the moment a request was meant to be sent (open loop)
	// or was sent (closed loop). It holds good answers, and timeouts with the time they
	// waited. Other failures are in Errors only, so that quick failures do not lower
	// the latency.
	Latency *Histogram `json:"latency"`
	// Service counts from the moment the request was sent. Lag is the generator's own
	// delay in sending. Open loop only.
	Service *Histogram `json:"service,omitempty"`
	Lag     *Histogram `json:"lag,omitempty"`
	// Shed holds the latency of answers 429 and 503 with Retry-After, counted from the same
	// moment as Latency. These answers count as failures. nil: there were none.
	Shed       *Histogram  `json:"shed,omitempty"`
	Operations []Operation `json:"operations,omitempty"` // of a scenario with more than one
	Intervals  []Interval  `json:"intervals,omitempty"`
	Verified   *Verified   `json:"verified,omitempty"`
	Generator  Generator   `json:"generator"`
	Warnings   []string    `json:"warnings,omitempty"`
}

// Plan is the part of the run's plan that a reader needs to judge the figures.
type Plan struct {
	Target      string  `json:"target"` // scheme://host[:port] and, without a scenario, the path's template; see Target
	Scenario    string  `json:"scenario,omitempty"`
	Loop        string  `json:"loop"`
	Arrivals    string  `json:"arrivals,omitempty"` // poisson | constant
	Stages      []Stage `json:"stages,omitempty"`
	Connections int     `json:"connections"`
	Warmup      float64 `json:"warmup_seconds"`
	Names       string  `json:"names,omitempty"` // things and jobs, as text
	KeepAlive   float64 `json:"keep_alive"`      // share of requests that keep their connection open, 0 to 1
	Timeout     float64 `json:"timeout_seconds"`
	TLS         string  `json:"tls,omitempty"` // version and cipher suite, once connected
}

// Stage is one part of an open loop's schedule, with rates in requests per second. From
// and To differ in a ramp. The last stage of a run by count may have no length (0).
type Stage struct {
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Seconds float64 `json:"seconds"`
}

// Machine is one load generator's host.
type Machine struct {
	CPU   string `json:"cpu,omitempty"`
	Cores int    `json:"cores"` // that the generator could use
	OS    string `json:"os"`
	Go    string `json:"go"`
}

// Counts are a run's totals. Intended = Good + Failed + Abandoned.
type Counts struct {
	Intended   int64            `json:"intended"`            // requests due in the measured part
	Sent       int64            `json:"sent"`                // of Intended, handed to a connection
	Good       int64            `json:"good"`                // answered correctly
	Failed     int64            `json:"failed"`              // all others except the abandoned, including the unsent
	Abandoned  int64            `json:"abandoned,omitempty"` // in flight when the run was interrupted
	Waited     int64            `json:"waited,omitempty"`    // open loop: due while every connection was busy
	Skipped    int64            `json:"skipped,omitempty"`   // a scenario's steps skipped because a captured value is missing
	Status     map[string]int64 `json:"status,omitempty"`
	BytesIn    int64            `json:"bytes_in"`  // headers and bodies, without TLS
	BytesOut   int64            `json:"bytes_out"` //
	Connects   int64            `json:"connects"`  // connections opened, including the warm-up
	Reconnects int64            `json:"reconnects"`
	Handshakes int64            `json:"handshakes,omitempty"` // TLS
	Resumed    int64            `json:"resumed,omitempty"`    // of Handshakes, with session resumption
}

// Error is one kind of failure and its count.
type Error struct {
	Kind    string `json:"kind"`
	Count   int64  `json:"count"`
	Example string `json:"example,omitempty"` // the first one's text
}

// Operation is one request of a scenario.
type Operation struct {
	Name    string     `json:"name"`
	Good    int64      `json:"good"`
	Failed  int64      `json:"failed"`
	Latency *Histogram `json:"latency"`
}

// Interval is a time slice of a run. An answer counts in the interval in which it arrived.
type Interval struct {
	At       float64    `json:"at"` // seconds since the measured part began
	Seconds  float64    `json:"seconds"`
	Intended int64      `json:"intended"` // requests due; in a closed loop, requests sent
	Good     int64      `json:"good"`
	Failed   int64      `json:"failed"`
	Latency  *Histogram `json:"latency"`
}

// Verified counts the answers whose URLs were opened or checked.
type Verified struct {
	Documents  int64  `json:"documents"`
	URLs       int64  `json:"urls"`
	Opened     int64  `json:"opened"`            // answered to a one-byte Range request
	Signatures int64  `json:"signatures"`        // recomputed and correct
	Skipped    int64  `json:"skipped,omitempty"` // not opened because of --verify-skip
	Failed     int64  `json:"failed"`
	Example    string `json:"example,omitempty"` // the first failure, without its query
}

// Generator is the load generator's own CPU use.
type Generator struct {
	CPUSeconds float64 `json:"cpu_seconds"`
	CPUShare   float64 `json:"cpu_share"` // of the cores it could use, 0 to 1
	// Limited is the reason why the generator, not the target, was the bottleneck; "" if
	// the generator kept up. Latencies of a limited run are not reported.
	Limited string `json:"limited,omitempty"`
}

// Rate returns the good answers per second.
func (r *Result) Rate() float64 { return perSecond(r.Counts.Good, r.Seconds) }

// Offered returns the requests due per second.
func (r *Result) Offered() float64 { return perSecond(r.Counts.Intended, r.dueSeconds()) }

func (r *Result) dueSeconds() float64 {
	if r.DueSeconds > 0 {
		return r.DueSeconds
	}
	return r.Seconds
}

// ErrorShare returns the share of failed requests among the good and failed, 0 to 1.
func (r *Result) ErrorShare() float64 {
	if judged := r.Counts.Good + r.Counts.Failed; judged > 0 {
		return float64(r.Counts.Failed) / float64(judged)
	}
	return 0
}

func perSecond(n int64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(n) / seconds
}

// WriteJSON writes the result, histograms included.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// ErrFormat is returned for a file that is not a report, or a report of another version.
var ErrFormat = errors.New("report: not a report of this version")

// ReadJSON reads a result that WriteJSON wrote.
func ReadJSON(rd io.Reader) (*Result, error) {
	r := new(Result)
	text, err := io.ReadAll(rd)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("%w: its format is %q, this is %q", ErrFormat, r.Format, Format)
	}
	if r.Latency == nil || (r.Plan.Loop != OpenLoop && r.Plan.Loop != ClosedLoop) {
		return nil, fmt.Errorf("%w: its latency or its loop is missing", ErrFormat)
	}
	r.Plan.Target = Target(r.Plan.Target) // earlier releases kept all of it
	return r, nil
}
