package overload

import "time"

const (
	// Requests are turned away once this much delay has lasted this long while so many wait for each processor. A
	// collection of garbage or a burst passes by itself, and a hundred connections that ask as fast as they are
	// answered wait for each other and for nobody else.
	tooLong  = 30 * time.Millisecond
	patience = 100 * time.Millisecond
	crowd    = 128

	// Target is the delay that is aimed at from then on. What a request waits is this, once or twice, and up to 10 ms
	// more, after which a busy Go program looks at its sockets at the latest.
	Target = 3 * time.Millisecond

	// few is how many requests wait for each processor where there is nothing to be gained by turning some away.
	few = 8

	// calm is how long nobody must have been turned away until it takes tooLong and patience again.
	calm = 5 * time.Second

	first = 0.5  // the part that is let in when it begins
	least = 0.01 // the smallest part
	gain  = 0.02 // by which the part grows in an interval of quickly without any delay
	steep = -3   // how many times faster it falls, at most
)

// measurement is what was seen in one interval.
type measurement struct {
	arrived int64 // requests
	refused int64 // of them, those for whom there was no turn
	took    time.Duration
	delay   time.Duration // that half of what was ready to run waited for a processor
}

// controller decides which part of the requests is let in. Not safe for concurrent use.
type controller struct {
	processors int
	admitted   float64       // the part; 1: all
	alert      bool          // some were turned away, not long ago
	lasted     time.Duration // how long there has been too much delay or, with alert, how long all have been let in
}

// step takes in one measurement and returns the part of the requests that is let in until the next.
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
	// Up and down alike, so that the delay settles at Target; faster down where it is far above.
	room := 1.0
	if waiting > few {
		room = max(steep, float64(Target-m.delay)/float64(Target))
	}
	c.admitted = max(least, min(1, c.admitted*(1+gain*room*float64(m.took)/float64(quickly))))
	if c.lasted += m.took; c.admitted < 1 || m.refused > 0 {
		c.lasted = 0
	}
	c.alert = c.lasted < calm
	return c.admitted
}
