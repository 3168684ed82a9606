package plan

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// MaxRate is the highest rate allowed, in requests per second.
const MaxRate = 10_000_000

// maxLength is how long a run, a stage or a wait may last: sums of longer times would
// overflow.
const maxLength = 365 * 24 * time.Hour

// Stage is a part of an open loop in which the rate changes linearly from From to To
// requests per second. Only the last stage may have no length; it then lasts until the run ends.
type Stage struct {
	From, To float64
	Length   time.Duration
}

// ParseRate reads stages separated by commas, each a rate or a ramp with an optional
// length: "20000/s", "1000..50000/s:60s", "100/s:10s,20k/s:30s". A rate is per second
// (/s, the default), minute (/m) or hour (/h); k is a thousand.
func ParseRate(s string) ([]Stage, error) {
	var stages []Stage
	texts := strings.Split(s, ",")
	for i, text := range texts {
		stage, err := parseStage(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("cannot read rate %q: %w", text, err)
		}
		if stage.Length == 0 && i < len(texts)-1 {
			return nil, fmt.Errorf("cannot read rate %q: every stage but the last needs a length, as in 1000/s:10s", text)
		}
		stages = append(stages, stage)
	}
	return stages, nil
}

func parseStage(text string) (Stage, error) {
	rate, length, timed := strings.Cut(text, ":")
	var s Stage
	if timed {
		d, err := time.ParseDuration(length)
		if err != nil || d <= 0 {
			return Stage{}, fmt.Errorf("length %q is not a duration above zero, such as 60s", length)
		}
		if d > maxLength {
			return Stage{}, fmt.Errorf("length %s is longer than a year", d)
		}
		s.Length = d
	}
	rate, unit, _ := strings.Cut(rate, "/")
	per, ok := map[string]float64{"": 1, "s": 1, "m": 60, "h": 3600}[unit]
	if !ok {
		return Stage{}, fmt.Errorf("unit %q is none of /s, /m, /h", unit)
	}
	from, to, ramp := strings.Cut(rate, "..")
	var err error
	if s.From, err = parseNumber(from, per); err != nil {
		return Stage{}, err
	}
	if s.To = s.From; ramp {
		if s.To, err = parseNumber(to, per); err != nil {
			return Stage{}, err
		}
		if !timed {
			return Stage{}, errors.New("a ramp needs a length, as in 1000..50000/s:60s")
		}
	}
	if s.From == 0 && s.To == 0 {
		return Stage{}, errors.New("it is zero")
	}
	return s, nil
}

func parseNumber(text string, per float64) (float64, error) {
	digits, thousands := strings.CutSuffix(text, "k")
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(f) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	if thousands {
		f *= 1000
	}
	if f /= per; f < 0 || f > MaxRate {
		return 0, fmt.Errorf("%s is not within 0 and %d requests a second", text, MaxRate)
	}
	return f, nil
}

// Arrivals draws the moments at which requests are due, in order. With a rate λ(t)
// the n-th is where the integral of λ reaches n (constant), or reaches a sum of n
// exponential gaps of mean one (a Poisson process, whatever the ramps).
type Arrivals struct {
	stages []Stage
	rng    *rand.Rand // nil: constant
	n      float64    // the integral up to the arrival drawn next
	begun  float64    // the integral up to the current stage
	offset time.Duration
}

// NewArrivals returns the arrivals of stages, as a Poisson process or with equal gaps.
func NewArrivals(stages []Stage, poisson bool, seed uint64) *Arrivals {
	a := &Arrivals{stages: stages}
	if poisson {
		a.rng = rand.New(rand.NewPCG(seed, 0x61727269))
		a.n = a.rng.ExpFloat64()
	}
	return a
}

// Next returns the next arrival, counted from the first stage's beginning; ok is
// false after the last stage.
func (a *Arrivals) Next() (due time.Duration, ok bool) {
	for len(a.stages) > 0 {
		s := &a.stages[0]
		left := a.n - a.begun
		if all := s.count(); left < all {
			due = a.offset + s.when(left)
			if a.rng != nil {
				a.n += a.rng.ExpFloat64()
			} else {
				a.n++
			}
			return due, true
		}
		a.begun += s.count()
		a.offset += s.Length
		a.stages = a.stages[1:]
	}
	return 0, false
}

// count returns how many arrivals the whole stage has.
func (s *Stage) count() float64 {
	if s.Length == 0 {
		return math.Inf(1)
	}
	return (s.From + s.To) / 2 * s.Length.Seconds()
}

// when returns the moment in the stage at which n arrivals have occurred: the root of
// From·t + (To-From)/(2·Length)·t² = n, in the form that also holds for a slope of 0.
func (s *Stage) when(n float64) time.Duration {
	slope := 0.0
	if s.Length > 0 {
		slope = (s.To - s.From) / s.Length.Seconds()
	}
	root := math.Sqrt(max(s.From*s.From+2*slope*n, 0))
	if s.From+root == 0 {
		return 0
	}
	after := min(2*n/(s.From+root), 100*maxLength.Seconds()) // later is never
	return time.Duration(after * float64(time.Second))
}

// DueCounter counts the arrivals of a schedule by their due time.
type DueCounter struct {
	arrivals *Arrivals
	begin    time.Duration // earlier arrivals do not count
	end      time.Duration // later ones neither
	left     int64         // how many more to count
	next     time.Duration // when the next one is due
	more     bool
}

// NewDueCounter returns a counter of the arrivals from begin up to end, at most most.
func NewDueCounter(a *Arrivals, begin, end time.Duration, most int64) *DueCounter {
	c := &DueCounter{arrivals: a, begin: begin, end: end, left: most}
	c.next, c.more = a.Next()
	return c
}

// Next returns when the next arrival is due.
func (c *DueCounter) Next() time.Duration { return c.next }

// Left returns how many more arrivals it may count.
func (c *DueCounter) Left() int64 { return c.left }

// UpTo returns how many requests became due since the last call, up to now.
func (c *DueCounter) UpTo(now time.Duration) (n int64) {
	for c.more && c.next <= now && c.next < c.end && c.left > 0 {
		if c.next >= c.begin {
			n++
			c.left--
		}
		c.next, c.more = c.arrivals.Next()
	}
	return n
}
