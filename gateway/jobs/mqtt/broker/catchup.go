package broker

import (
	"context"
	"time"

	"jobgate/gateway/jobs"
)

// The last notices to things are in memory. A gateway that starts publishing notices, after its start or in place of
// another, or that has missed events, cannot know which notices are missing. So it catches up: it notifies each thing of
// its pending executions. That is at least once: devices may get a notice twice. Things with nothing pending any more are
// notified if they have changed since the saved Place.

// catchUpEvery is how often a gateway checks whether it has to catch up.
const catchUpEvery = 250 * time.Millisecond

// catchUpPage is how many things are marked at once; catchUpAhead bounds the marked things that are not notified yet.
const (
	catchUpPage  = 1000
	catchUpAhead = 4000
)

// catchUpAlways catches up whenever necessary, until ctx ends.
func (b *Client) catchUpAlways(ctx context.Context) {
	ticker := time.NewTicker(catchUpEvery)
	defer ticker.Stop()
	// known: the things that have changed since the place are known; unknown: all may have changed.
	for known, unknown := false, false; ; {
		switch {
		case !b.config.Notifies():
			b.caughtUp.Store(false)
			b.notices.forget(b.config.Place != nil) // another gateway notifies them now
			known = false
		case b.notices.missed.Swap(false) || !b.caughtUp.Load():
			var err error
			if !known {
				unknown, err = b.markChanged(ctx)
				known = err == nil
			}
			if err == nil {
				err = b.catchUp(ctx, unknown)
			}
			b.caughtUp.Store(err == nil)
			if err == nil {
				unknown = false
			} else if ctx.Err() == nil {
				b.config.Log.Debug("mqtt: cannot catch up with the notices", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// catchUp marks every thing, a page at a time.
func (b *Client) catchUp(ctx context.Context, unknown bool) error {
	for page := (jobs.Page{Limit: catchUpPage}); ; {
		things, next, err := b.config.Service.ListThings(ctx, jobs.ThingQuery{}, page)
		if err != nil {
			return err
		}
		names := make([]string, len(things))
		for i := range things {
			names[i] = things[i].Name
		}
		b.notices.mark(unknown, names...)
		if next == "" {
			return nil
		}
		page.After = next
		if err := b.notices.room(ctx); err != nil {
			return err
		}
	}
}

// room waits until only few things are marked.
func (n *notices) room(ctx context.Context) error {
	for {
		n.mu.Lock()
		marked := len(n.dirty)
		n.mu.Unlock()
		if marked <= catchUpAhead {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(catchUpEvery / 10):
		}
	}
}

// forget drops what things were notified of, because another gateway may notify them from now on.
func (n *notices) forget(learn bool) {
	n.mu.Lock()
	n.notified, n.unknown, n.learning = nil, nil, learn
	n.mu.Unlock()
}
