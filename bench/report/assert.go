package report

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// ErrAssert is wrapped by the error of Asserts.Check: the run is complete, but its
// result fails a condition.
var ErrAssert = errors.New("report: assertion failed")

// Asserts are conditions on a result, all of which must hold.
type Asserts []assert

// assert is one condition: metric, comparison, limit.
type assert struct {
	text   string
	metric string
	op     string
	limit  float64 // nanoseconds, a share, a count or a rate
	share  bool    // limit is a share of all requests, not a count of errors
}

// ParseAsserts reads conditions separated by commas, such as
// "p99<5ms,errors<0.1%,rate>=19900/s".
//
// Metrics are min, mean, max and pNN (p50, p99.9, …) with a duration; errors with a
// percentage or a number; rate, the good answers per second. Comparisons are <, <=, >
// and >=. An empty string has no conditions.
func ParseAsserts(s string) (Asserts, error) {
	var all Asserts
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	for _, text := range strings.Split(s, ",") {
		a, err := parseAssert(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read assertion %q: %w", text, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func parseAssert(text string) (assert, error) {
	i := strings.IndexAny(text, "<>")
	if i <= 0 {
		return assert{}, errors.New(`not metric, comparison, limit, as in "p99<5ms"; see --assert`)
	}
	a := assert{text: text, metric: strings.TrimSpace(text[:i]), op: text[i : i+1]}
	rest := text[i+1:]
	if strings.HasPrefix(rest, "=") {
		a.op, rest = a.op+"=", rest[1:]
	}
	rest = strings.TrimSpace(rest)
	var err error
	switch a.metric {
	case "errors":
		number, percent := strings.CutSuffix(rest, "%")
		a.share = percent
		if a.limit, err = parseLimit(strings.TrimSpace(number)); err != nil || percent && a.limit > 100 {
			return assert{}, fmt.Errorf("limit %q is neither a percentage (0.1%%) nor a number", rest)
		}
		if percent {
			a.limit /= 100
		}
	case "rate":
		if a.limit, err = parseLimit(strings.TrimSuffix(rest, "/s")); err != nil {
			return assert{}, fmt.Errorf("limit %q is not a rate (20000/s)", rest)
		}
	default:
		if _, _, err := latencyOf(NewCoarseHistogram(), a.metric); err != nil {
			return assert{}, err
		}
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return assert{}, fmt.Errorf("limit %q is not a duration (5ms)", rest)
		}
		a.limit = float64(d)
	}
	return a, nil
}

// parseLimit reads a finite number of at least zero.
func parseLimit(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err == nil && !(f >= 0 && f <= math.MaxFloat64) {
		err = strconv.ErrRange
	}
	return f, err
}

// latencyOf returns the duration that metric names; ok is false if h is empty.
func latencyOf(h *Histogram, metric string) (d time.Duration, ok bool, err error) {
	ok = h.Count() > 0
	switch metric {
	case "min":
		return h.Min(), ok, nil
	case "mean":
		return h.Mean(), ok, nil
	case "max":
		return h.Max(), ok, nil
	}
	number, isPercentile := strings.CutPrefix(metric, "p")
	p, err := strconv.ParseFloat(number, 64)
	if !isPercentile || err != nil || !(p > 0 && p <= 100) {
		return 0, false, fmt.Errorf("metric %q is none of min, mean, max, p50 … p99.99, errors, rate", metric)
	}
	return h.Percentile(p), ok, nil
}

// Check returns nil if every condition holds, and otherwise an error that wraps
// ErrAssert and lists each failed condition with the measured value. A latency that
// was not measured, because nothing was answered or because the generator was the
// bottleneck, fails every condition.
func (all Asserts) Check(r *Result) error {
	var failed []string
	for _, a := range all {
		if got, ok := a.holds(r); !ok {
			failed = append(failed, fmt.Sprintf("%s (it is %s)", a.text, got))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrAssert, strings.Join(failed, ", "))
}

// holds evaluates one condition and returns the measured value as text.
func (a assert) holds(r *Result) (string, bool) {
	switch a.metric {
	case "errors":
		if a.share {
			if r.Counts.Good+r.Counts.Failed == 0 {
				return "unknown: nothing was answered", false
			}
			return Share(r.ErrorShare()), a.compare(r.ErrorShare())
		}
		return humanize.Comma(r.Counts.Failed), a.compare(float64(r.Counts.Failed))
	case "rate":
		return Rate(r.Rate()), a.compare(r.Rate())
	}
	if r.Generator.Limited != "" {
		return "unknown: the generator was the bottleneck", false
	}
	d, ok, err := latencyOf(r.Latency, a.metric)
	if err != nil || !ok {
		return "unknown: nothing was answered", false
	}
	return Duration(d), a.compare(float64(d))
}

func (a assert) compare(got float64) bool {
	switch a.op {
	case "<":
		return got < a.limit
	case "<=":
		return got <= a.limit
	case ">":
		return got > a.limit
	}
	return got >= a.limit
}
