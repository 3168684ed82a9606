package overload

import "time"

const (
	// Load shedding begins after patience with at least tooLong of delay and crowd requests waiting for each processor. A
	// garbage collection or a burst is shorter. A hundred connections that send requests as fast as they are answered
	// are fewer than crowd.
	tooLong  = 30 * time.Millisecond
	patience = 100 * time.Millisecond
	crowd    = 128

	// Target is the delay to aim for while shedding. A request waits this long once or twice, and up to 10 ms more, the
	// longest that a busy Go program takes to poll its sockets.
	Target = 3 * time.Millisecond

	// few is the number of requests waiting for each processor below which shedding gains nothing.
	few = 8

	// calm is how long no request must have been shed until tooLong and patience apply again.
	calm = 5 * time.Second

	first = 0.5  // the admitted fraction when shedding begins
	least = 0.01 // the smallest fraction
	gain  = 0.02 // relative growth of the fraction in a shortInterval without delay
	steep = -3   // the fraction falls at most three times as fast
)

// measurement is what was measured in one interval.
type measurement struct {
	arrived int64 // requests
	refused int64 // requests that were rejected for lack of a turn
	took    time.Duration
	delay   time.Duration // median wait of runnable goroutines for a processor
}

// controller decides which fraction of the requests is admitted. Not safe for concurrent use.
type controller struct {
	processors int
	admitted   float64       // the fraction; 1: all
	alert      bool          // requests were shed recently
	lasted     time.Duration // time with too much delay or, with alert, with no request shed
}

// step takes a measurement and returns the fraction of the requests to admit until the next.
func (c *controller) step(m measurement) float64 {
	waiting := float64(m.arrived) * float64(m.delay) / float64(max(m.took, 1)) / float64(c.processors) // Little's law
	if !c.alert {
		if m.delay < tooLong || waiting < crowd {
			c.lasted = 0
		} else if c.lasted += m.took; c.lasted >= patience {
			c.lasted, c.admitted, c.alert = 0, first, true
		}
		return c.admitted
	}
	// Proportional, so that the delay settles at Target; faster down if it is far above.
	room := 1.0
	if waiting > few {
		room = max(steep, float64(Target-m.delay)/float64(Target))
	}
	c.admitted = max(least, min(1, c.admitted*(1+gain*room*float64(m.took)/float64(shortInterval))))
	if c.lasted += m.took; c.admitted < 1 || m.refused > 0 {
		c.lasted = 0
	}
	c.alert = c.lasted < calm
	return c.admitted
}
