package role

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The rules by which the local clock is corrected.
const (
	skewThreshold = 5 * time.Second  // less is not corrected: a Date header has whole seconds
	skewMaxAge    = 24 * time.Hour   // older answers are ignored
	skewMax       = 24 * time.Hour   // more means that the clock was never set
	skewSamples   = 5                // their median counts, so that a single outlier does not
	skewMaxRTT    = 10 * time.Second // the date of a slower answer is too imprecise
)

// sample is one reading of the server's clock.
type sample struct {
	offset time.Duration // server minus local
	at     time.Duration // on the monotonic clock
}

// clock measures how far the local clock is behind the servers' and returns the corrected time.
type clock struct {
	now   func() time.Time // the local wall clock
	start time.Time        // origin of the monotonic clock
	log   *slog.Logger

	applied  atomic.Int64 // what Skew returns, in nanoseconds
	measured atomic.Int64 // the median, even if too small or too large to apply

	mu      sync.Mutex
	samples []sample      // the last skewSamples, oldest first
	drift   time.Duration // of the local wall clock against the monotonic one
	stepped bool          // not reported by check yet
	state   clockState    // as last logged
}

type clockState int

const (
	clockRight clockState = iota
	clockOff              // and corrected
	clockLost             // by more than is corrected
)

func newClock(now func() time.Time, log *slog.Logger) *clock {
	c := &clock{now: now, start: time.Now(), log: log}
	c.drift = c.wallDrift()
	return c
}

// Time returns the servers' time: the local clock, corrected.
func (c *clock) Time() time.Time { return c.now().Add(time.Duration(c.applied.Load())) }

// observe adds one answer: the server wrote serverDate, and the answer arrived at local
// time receivedAt, rtt after the request was sent. It returns the offset by this answer
// alone, and whether the answer is usable.
func (c *clock) observe(serverDate, receivedAt time.Time, rtt time.Duration) (offset time.Duration, ok bool) {
	if serverDate.IsZero() || rtt < 0 || rtt > skewMaxRTT {
		return 0, false
	}
	// A Date header is cut to the second and was written half a round trip ago, on average.
	offset = serverDate.Add(time.Second / 2).Sub(receivedAt.Round(0).Add(-rtt / 2))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetStepped()
	if len(c.samples) == skewSamples {
		c.samples = slices.Delete(c.samples, 0, 1)
	}
	c.samples = append(c.samples, sample{offset: offset, at: time.Since(c.start)})
	c.settle()
	return offset, true
}

// check drops outdated samples, and reports whether the local wall clock was set since the
// last check: then all measurements are void, and timers may be late.
func (c *clock) check() (stepped bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgetStepped()
	c.settle()
	stepped, c.stepped = c.stepped, false
	return stepped
}

// forgetStepped drops the samples if the wall clock has diverged from the monotonic one:
// it was set, or the machine slept.
func (c *clock) forgetStepped() {
	drift := c.wallDrift()
	if (drift - c.drift).Abs() >= skewThreshold {
		c.drift, c.stepped = drift, true
		c.samples = c.samples[:0]
	}
}

func (c *clock) wallDrift() time.Duration {
	return c.now().Round(0).Sub(c.start.Round(0)) - time.Since(c.start)
}

// settle computes the correction from the recent samples.
func (c *clock) settle() {
	oldest := time.Since(c.start) - skewMaxAge
	c.samples = slices.DeleteFunc(c.samples, func(s sample) bool { return s.at < oldest })
	measured := median(c.samples)
	c.measured.Store(int64(measured))
	applied, state := measured, clockOff
	switch {
	case measured.Abs() <= skewThreshold:
		applied, state = 0, clockRight
	case measured.Abs() > skewMax:
		applied, state = 0, clockLost
	}
	c.applied.Store(int64(applied))
	if state == c.state {
		return
	}
	c.state = state
	skew := slog.Duration("skew", measured.Round(time.Second))
	switch state {
	case clockRight:
		c.log.Info("the local clock is right again: signing with it", skew)
	case clockOff:
		c.log.Warn("the local clock is off: signing with AWS's time instead; set the clock", skew)
	case clockLost:
		c.log.Error("the local clock is off by more than is corrected: set the clock", skew, slog.Duration("limit", skewMax))
	}
}

// median returns the middle offset; of two middle ones it returns the smaller correction.
func median(samples []sample) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	offsets := make([]time.Duration, len(samples))
	for i, s := range samples {
		offsets[i] = s.offset
	}
	slices.Sort(offsets)
	low, high := offsets[(len(offsets)-1)/2], offsets[len(offsets)/2]
	if low.Abs() < high.Abs() {
		return low
	}
	return high
}
