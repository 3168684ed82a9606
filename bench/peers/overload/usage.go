package overload

import (
	"time"

	"jobgate/bench/peers/process"
)

// usage is samples of a server's total CPU time.
type usage []usedAt

type usedAt struct {
	at  time.Time
	cpu time.Duration
}

// watch samples p's CPU time until stop is closed, and then sends the samples.
func watch(p *process.Process, stop <-chan struct{}) <-chan usage {
	samples := make(chan usage, 1)
	go func() {
		var all usage
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			all = append(all, usedAt{time.Now(), p.CPU()})
			select {
			case <-tick.C:
			case <-stop:
				samples <- all
				return
			}
		}
	}()
	return samples
}

// between returns the CPU time used in the given length of time from from on.
func (u usage) between(from time.Time, length time.Duration) time.Duration {
	return u.until(from.Add(length)) - u.until(from)
}

// until returns the total CPU time at a time, interpolated between two samples.
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
