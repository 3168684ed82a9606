package broker

import (
	"context"
	"time"

	"jobgate/gateway/jobs"
)

// What things were told is in memory. A gateway that begins to publish notices, because it has started or because the one
// that did so is gone, or that has missed events, cannot know which changes devices were not told of: it catches up, and
// tells each thing what is pending for it. That is at least once: devices may be told again what they know. Things for
// which nothing is pending any more are told so if they were changed behind the Place that was kept.

// catchUpEvery is how often a gateway looks whether it has to catch up.
const catchUpEvery = 250 * time.Millisecond

// catchUpPage is how many things are marked at once, and catchUpAhead how many may be marked and not told yet.
const (
	catchUpPage  = 1000
	catchUpAhead = 4000
)

// catchUpAlways catches up whenever this gateway has to, until ctx ends.
func (b *Client) catchUpAlways(ctx context.Context) {
	ticker := time.NewTicker(catchUpEvery)
	defer ticker.Stop()
	// known: it is known which things were changed behind the place; unknown: all may have been.
	for known, unknown := false, false; ; {
		switch {
		case !b.config.Notifies():
			b.caughtUp.Store(false)
			b.notices.forget(b.config.Place != nil) // another gateway tells them something else now
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

// room waits until few things are marked.
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

// forget drops what things were told, which may change by another gateway from now on.
func (n *notices) forget(learn bool) {
	n.mu.Lock()
	n.told, n.unknown, n.learning = nil, nil, learn
	n.mu.Unlock()
}
