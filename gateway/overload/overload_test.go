package overload

import (
	"math"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

// processor simulates a processor with one first-come, first-served queue. Serving a request takes serve, rejecting it shed.
type processor struct {
	control        controller
	now            time.Duration
	serve, shed    time.Duration
	free           time.Duration // when the queue will be empty
	credit         float64       // arrivals due, with their fraction
	lot            float64       // spreads the admitted requests evenly
	good, rejected int
	goodWaits      []time.Duration
	shedWaits      []time.Duration
}

// run simulates requests that arrive at rate, per second, for length.
func (p *processor) run(rate float64, length time.Duration) {
	p.good, p.rejected, p.goodWaits, p.shedWaits = 0, 0, nil, nil
	const tick = 100 * time.Microsecond
	var delays []time.Duration
	arrived, last := int64(0), p.now
	for end := p.now + length; p.now < end; p.now += tick {
		for p.credit += rate * tick.Seconds(); p.credit >= 1; p.credit-- {
			arrived++
			began := max(p.now, p.free)
			delays = append(delays, began-p.now)
			if p.lot += p.control.admitted; p.lot >= 1 {
				p.lot--
				p.free = began + p.serve
				p.good++
				p.goodWaits = append(p.goodWaits, p.free-p.now)
			} else {
				p.free = began + p.shed
				p.rejected++
				p.shedWaits = append(p.shedWaits, p.free-p.now)
			}
		}
		if p.now-last >= shortInterval {
			m := measurement{arrived: arrived, took: p.now - last}
			if slices.Sort(delays); len(delays) > 0 {
				m.delay = delays[len(delays)/2]
			}
			p.control.step(m)
			arrived, last, delays = 0, p.now, delays[:0]
		}
	}
}

func p99(waits []time.Duration) time.Duration {
	slices.Sort(waits)
	if len(waits) == 0 {
		return 0
	}
	return waits[len(waits)*99/100]
}

// TestOverload checks that at three times the peak rate, at least 0.8 of the peak is served.
func TestOverload(t *testing.T) {
	for _, serve := range []time.Duration{20 * time.Microsecond, 200 * time.Microsecond, 2 * time.Millisecond} {
		p := &processor{control: controller{processors: 1, admitted: 1}, serve: serve, shed: serve / 20}
		peak := float64(time.Second / serve)
		p.run(peak*0.9, 5*time.Second)
		if p.rejected > 0 {
			t.Errorf("%v: at 0.9 of the peak, %d were rejected", serve, p.rejected)
		}
		p.run(peak*3, 2*time.Second) // let it settle
		p.run(peak*3, 10*time.Second)
		if good := float64(p.good) / 10 / peak; good < 0.8 || p99(p.goodWaits) > 100*time.Millisecond || p99(p.shedWaits) > 25*time.Millisecond {
			t.Errorf("%v: goodput %.2f of the peak, p99 %v of the admitted, %v of the rejected", serve, good, p99(p.goodWaits), p99(p.shedWaits))
		}
		p.run(peak*0.7, 5*time.Second) // let it recover
		p.run(peak*0.7, 10*time.Second)
		if p.rejected > 0 || p.control.alert {
			t.Errorf("%v: from five seconds after the overload, %d were rejected, alert %v", serve, p.rejected, p.control.alert)
		}
	}
}

// TestNoOverload checks that nothing is shed for delay alone, or for many requests that are served.
func TestNoOverload(t *testing.T) {
	f := func(name string, m measurement) {
		t.Helper()
		c := controller{processors: 1, admitted: 1}
		for range 1000 {
			if c.step(m) != 1 {
				t.Fatalf("%s: some are rejected", name)
			}
		}
	}
	f("a machine busy with other work", measurement{arrived: 1, took: shortInterval, delay: time.Second / 2})
	f("a closed loop of 64", measurement{arrived: 32, took: shortInterval, delay: 10 * time.Millisecond})
	f("many requests, all answered", measurement{arrived: 10000, took: shortInterval, delay: time.Millisecond})
	f("a slow upstream", measurement{arrived: 3, took: shortInterval, delay: 0})
	f("no requests", measurement{took: longInterval})

	c := controller{processors: 1, admitted: 1}
	for range 1000 { // garbage collections
		for range 4 {
			c.step(measurement{arrived: 100, took: 10 * time.Millisecond, delay: 50 * time.Millisecond})
		}
		if c.step(measurement{arrived: 100, took: shortInterval, delay: time.Millisecond}) != 1 {
			t.Fatal("a garbage collection: some are rejected")
		}
	}
}

// TestAlertLasts checks that the alert lasts while requests are rejected for lack of a turn, however short the delays are.
func TestAlertLasts(t *testing.T) {
	c := controller{processors: 1, admitted: 1, alert: true}
	for range 2 * calm / shortInterval {
		c.step(measurement{arrived: 70, refused: 50, took: shortInterval, delay: time.Millisecond})
		if !c.alert {
			t.Fatal("the alert ended although 50 of 70 are rejected")
		}
	}
	for range calm / shortInterval {
		c.step(measurement{arrived: 20, took: shortInterval, delay: time.Millisecond})
	}
	if c.alert {
		t.Errorf("the alert is still on %v after the last rejection", calm)
	}
}

// TestRuntimeMeasures checks that the Go runtime has the metric of scheduling delays, and the median of a histogram.
func TestRuntimeMeasures(t *testing.T) {
	d := newDelays()
	if d.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		t.Fatal("the runtime has no metric of scheduling delays")
	}
	if got := middle([]uint64{1, 2, 4, 0}, []float64{math.Inf(-1), 0, 0.5, 1, 2}, 7); got != time.Second/2 {
		t.Errorf("the median is %v, want 500ms", got)
	}
	if got := middle([]uint64{0, 0}, []float64{0, 1, 2}, 0); got != 0 {
		t.Errorf("the median of no counts is %v, want 0", got)
	}
}

// TestGate checks that Admit admits the fraction that the threshold stands for, without allocating.
func TestGate(t *testing.T) {
	g := &Gate{stop: make(chan struct{})}
	f := func(fraction float64) (admitted float64) {
		g.threshold.Store(threshold(fraction))
		for range 100_000 {
			if g.Admit() {
				admitted++
			}
		}
		return admitted / 100_000
	}
	if got := f(1); got != 1 {
		t.Errorf("at 1, %v are admitted", got)
	}
	if got := f(0.3); got < 0.28 || got > 0.32 {
		t.Errorf("at 0.3, %v are admitted", got)
	}
	if n := testing.AllocsPerRun(100, func() { g.Admit() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	open := New()
	if !open.Admit() {
		t.Error("the first request is rejected")
	}
	open.Close()
}
