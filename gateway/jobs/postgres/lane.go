package postgres

import (
	"context"
	"sync"
)

// A lane sends what came while its last statement ran as one statement. It waits for nothing: a request that finds the
// lane idle goes at once, alone.
type lane[R any] struct {
	in  chan *R
	max int
	run func(batch []*R)
}

// maxQueued is how many requests wait for a lane before those who ask wait for a place.
const maxQueued = 4096

func newLane[R any](limit int, run func([]*R)) *lane[R] {
	return &lane[R]{in: make(chan *R, maxQueued), max: limit, run: run}
}

// serve runs batches until the lane is closed. Several goroutines may serve one lane.
func (l *lane[R]) serve(running *sync.WaitGroup) {
	running.Go(func() {
		batch := make([]*R, 0, l.max)
		for first := range l.in {
			batch = append(batch[:0], first)
			batch = l.fill(batch)
			l.run(batch)
			clear(batch)
		}
	})
}

// fill adds what waits.
func (l *lane[R]) fill(batch []*R) []*R {
	for len(batch) < l.max {
		select {
		case r, open := <-l.in:
			if !open {
				return batch
			}
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// send hands a request to the lane. The error is ctx's.
func (l *lane[R]) send(ctx context.Context, r *R) error {
	select {
	case l.in <- r:
		return nil
	default:
	}
	select {
	case l.in <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
