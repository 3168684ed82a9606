// Package lane gathers requests that arrive while a statement runs, so that one statement answers them all.
package lane

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Lane batches the requests that arrive while a statement runs into the next one. A request that finds it idle is sent at
// once, alone. While a statement runs the next one waits and grows, because a large one costs the database little more than a
// small one; it does not wait if it is already large, or if the previous one is slow.
//
//	requests ──► in ──► pick: the first, until the turn is free, eager wait or patience is over, all that wait ──► run
//	                                                                                                           ──► run
type Lane[R any] struct {
	in    chan *R
	max   int
	pick  chan struct{} // held while a batch is being filled
	turn  chan struct{} // held while a statement runs that others wait for
	crowd chan struct{} // has an element when eager requests wait
}

const (
	maxQueued = 4096                  // requests that can wait for a lane; more block in Send
	eager     = 64                    // so many requests do not wait for the previous statement
	patience  = 10 * time.Millisecond // longest wait for the previous statement
)

// New returns a lane whose batches have limit requests at most.
func New[R any](limit int) *Lane[R] {
	return &Lane[R]{in: make(chan *R, maxQueued), max: limit, pick: make(chan struct{}, 1), turn: make(chan struct{}, 1), crowd: make(chan struct{}, 1)}
}

// Serve runs batches until the lane is closed. Several goroutines may serve one lane, each with a run of its own.
func (l *Lane[R]) Serve(running *sync.WaitGroup, run func(batch []*R)) {
	running.Go(func() {
		batch := make([]*R, 0, l.max)
		timeout := time.NewTimer(patience)
		defer timeout.Stop()
		for {
			l.pick <- struct{}{}
			first, open := <-l.in
			if !open {
				<-l.pick
				return
			}
			mine := l.await(timeout)
			runtime.Gosched() // lets requests that were already read join: half as many more in a batch where cores are scarce
			batch = l.fill(append(batch[:0], first))
			<-l.pick
			run(batch)
			if mine {
				<-l.turn
			}
			clear(batch)
		}
	})
}

// await waits for the previous statement. mine: this goroutine has the turn.
func (l *Lane[R]) await(timeout *time.Timer) (mine bool) {
	select {
	case l.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case <-l.crowd: // perhaps of canceled requests
	default:
	}
	if len(l.in) >= eager {
		return false
	}
	timeout.Reset(patience)
	select {
	case l.turn <- struct{}{}:
		return true
	case <-l.crowd:
	case <-timeout.C:
	}
	return false
}

// fill adds the waiting requests.
func (l *Lane[R]) fill(batch []*R) []*R {
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

// Close ends Serve once the waiting requests have been run. Do not call Send afterwards.
func (l *Lane[R]) Close() { close(l.in) }

// Send passes a request to the lane. The error is ctx's.
func (l *Lane[R]) Send(ctx context.Context, r *R) error {
	select {
	case l.in <- r:
	default:
		select {
		case l.in <- r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if len(l.in) >= eager {
		select {
		case l.crowd <- struct{}{}:
		default:
		}
	}
	return nil
}
