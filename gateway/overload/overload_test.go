package overload

import (
	"math"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

// processor is a simulation of one: requests wait in one queue, first come, first served. Serving one takes its time,
// and turning one away a part of that.
type processor struct {
	control      controller
	now          time.Duration
	serve, shed  time.Duration
	free         time.Duration // when it has done all that has come
	credit       float64       // of requests that come
	lot          float64       // decides who is let in, evenly
	good, turned int
	goodWaits    []time.Duration
	turnedWaits  []time.Duration
}

// run lets requests come at rate, for a time.
func (p *processor) run(rate float64, length time.Duration) {
	p.good, p.turned, p.goodWaits, p.turnedWaits = 0, 0, nil, nil
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
				p.turned++
				p.turnedWaits = append(p.turnedWaits, p.free-p.now)
			}
		}
		if p.now-last >= quickly {
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

// TestOverload: three times what can be served comes, and four fifths of that is.
func TestOverload(t *testing.T) {
	for _, serve := range []time.Duration{20 * time.Microsecond, 200 * time.Microsecond, 2 * time.Millisecond} {
		p := &processor{control: controller{processors: 1, admitted: 1}, serve: serve, shed: serve / 20}
		peak := float64(time.Second / serve)
		p.run(peak*0.9, 5*time.Second)
		if p.turned > 0 {
			t.Errorf("%v: of 0.9 of the peak, %d were turned away", serve, p.turned)
		}
		p.run(peak*3, 2*time.Second) // it finds out
		p.run(peak*3, 10*time.Second)
		if good := float64(p.good) / 10 / peak; good < 0.8 || p99(p.goodWaits) > 100*time.Millisecond || p99(p.turnedWaits) > 25*time.Millisecond {
			t.Errorf("%v: goodput %.2f of the peak, p99 %v of those let in, %v of those turned away", serve, good, p99(p.goodWaits), p99(p.turnedWaits))
		}
		p.run(peak*0.7, 5*time.Second) // it is over
		p.run(peak*0.7, 10*time.Second)
		if p.turned > 0 || p.control.alert {
			t.Errorf("%v: five seconds after it is over, %d were turned away", serve, p.turned)
		}
	}
}

// TestNoOverload: delay alone is none, and neither is a crowd that is served.
func TestNoOverload(t *testing.T) {
	f := func(name string, m measurement) {
		t.Helper()
		c := controller{processors: 1, admitted: 1}
		for range 1000 {
			if c.step(m) != 1 {
				t.Fatalf("%s: some are turned away", name)
			}
		}
	}
	f("a machine that is busy with other things", measurement{arrived: 1, took: quickly, delay: time.Second / 2})
	f("a closed loop of 64", measurement{arrived: 32, took: quickly, delay: 10 * time.Millisecond})
	f("much is asked, all is answered", measurement{arrived: 10000, took: quickly, delay: time.Millisecond})
	f("an upstream is slow", measurement{arrived: 3, took: quickly, delay: 0})
	f("nothing", measurement{took: slowly})

	c := controller{processors: 1, admitted: 1}
	for range 1000 { // collections of garbage
		for range 4 {
			c.step(measurement{arrived: 100, took: 10 * time.Millisecond, delay: 50 * time.Millisecond})
		}
		if c.step(measurement{arrived: 100, took: quickly, delay: time.Millisecond}) != 1 {
			t.Fatal("a pause: some are turned away")
		}
	}
}

// TestAlertLasts: it is not over while there is not a turn for everybody, however short the delays are.
func TestAlertLasts(t *testing.T) {
	c := controller{processors: 1, admitted: 1, alert: true}
	for range 2 * calm / quickly {
		c.step(measurement{arrived: 70, refused: 50, took: quickly, delay: time.Millisecond})
		if !c.alert {
			t.Fatal("it is over although 50 of 70 are turned away")
		}
	}
	for range calm / quickly {
		c.step(measurement{arrived: 20, took: quickly, delay: time.Millisecond})
	}
	if c.alert {
		t.Errorf("%v after the last was turned away it is not over", calm)
	}
}

// TestRuntimeMeasures: the runtime has the measurement that it is asked for.
func TestRuntimeMeasures(t *testing.T) {
	d := newDelays()
	if d.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		t.Fatal("the runtime does not measure how long goroutines wait")
	}
	if got := middle([]uint64{1, 2, 4, 0}, []float64{math.Inf(-1), 0, 0.5, 1, 2}, 7); got != time.Second/2 {
		t.Errorf("the middle is %v", got)
	}
	if got := middle([]uint64{0, 0}, []float64{0, 1, 2}, 0); got != 0 {
		t.Errorf("the middle of nothing is %v", got)
	}
}

// TestGate: as many pass as the threshold says, and all once it is closed.
func TestGate(t *testing.T) {
	g := &Gate{stop: make(chan struct{})}
	f := func(admitted float64) (passed float64) {
		g.threshold.Store(threshold(admitted))
		for range 100_000 {
			if g.Admit() {
				passed++
			}
		}
		return passed / 100_000
	}
	if got := f(1); got != 1 {
		t.Errorf("of all, %v pass", got)
	}
	if got := f(0.3); got < 0.28 || got > 0.32 {
		t.Errorf("of 0.3, %v pass", got)
	}
	if n := testing.AllocsPerRun(100, func() { g.Admit() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	open := New()
	if !open.Admit() {
		t.Error("the first is turned away")
	}
	open.Close()
}
