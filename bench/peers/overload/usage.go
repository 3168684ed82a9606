package overload

import (
	"time"

	"jobgate/bench/peers/process"
)

// usage is the CPU time that a server had used at several times.
type usage []usedAt

type usedAt struct {
	at  time.Time
	cpu time.Duration
}

// watch notes what p uses until stop is closed, and sends it then.
func watch(p *process.Process, stop <-chan struct{}) <-chan usage {
	noted := make(chan usage, 1)
	go func() {
		var all usage
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			all = append(all, usedAt{time.Now(), p.CPU()})
			select {
			case <-tick.C:
			case <-stop:
				noted <- all
				return
			}
		}
	}()
	return noted
}

// between returns the CPU time that was used in the length of time that began at from.
func (u usage) between(from time.Time, length time.Duration) time.Duration {
	return u.until(from.Add(length)) - u.until(from)
}

// until returns what had been used at a time, evenly between two notes.
func (u usage) until(at time.Time) time.Duration {
	for i := 1; i < len(u); i++ {
		before, after := u[i-1], u[i]
		if after.at.Before(at) {
			continue
		}
		part := float64(max(0, at.Sub(before.at))) / float64(max(1, after.at.Sub(before.at)))
		return before.cpu + time.Duration(part*float64(after.cpu-before.cpu))
	}
	if len(u) == 0 {
		return 0
	}
	return u[len(u)-1].cpu
}
