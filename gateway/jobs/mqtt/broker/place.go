package broker

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
)

// Place records in the store which changes devices were notified of.
type Place interface {
	// Shared reports whether places change while the process runs; if not, Save is called only at its end.
	Shared() bool
	// Now returns the place after all changes so far.
	Now(ctx context.Context) (place string, err error)
	// Load returns the last saved place, "" if there is none.
	Load(ctx context.Context) (place string, err error)
	Save(ctx context.Context, place string) error
	// Changed calls f with the things that have changed since a place; jobs.ErrFeedMissed if that is unknown.
	Changed(ctx context.Context, place string, f func(thing string)) error
}

// markChanged marks the things that have changed since the saved place; unknown says that all may have changed.
func (b *Client) markChanged(ctx context.Context) (unknown bool, err error) {
	if b.config.Place == nil {
		return false, nil
	}
	place, err := b.config.Place.Load(ctx)
	if err != nil {
		return false, err
	}
	err = b.config.Place.Changed(ctx, place, func(thing string) { b.notices.mark(true, thing) })
	if !errors.Is(err, jobs.ErrFeedMissed) {
		return false, err
	}
	b.config.Log.Info("mqtt: the last notices to devices are not known; notifying every thing")
	return true, nil
}

// A place is saved every placeEvery while things change, and otherwise every placeAnyway, because the store keeps changes
// for minutes only. keepWait bounds saving it.
const (
	placeEvery  = time.Second
	placeAnyway = 20 * time.Second
	keepWait    = 10 * time.Second
	keepPause   = 20 * time.Millisecond
)

// keepPlaceAlways saves the place while this gateway publishes notices, until ctx ends.
func (b *Client) keepPlaceAlways(ctx context.Context) {
	if b.config.Place == nil {
		return
	}
	ticker := time.NewTicker(placeEvery)
	defer ticker.Stop()
	var last time.Time
	var marked uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now, is := time.Now(), b.notices.marks()
		if !b.caughtUp.Load() || is == marked && now.Sub(last) < placeAnyway {
			continue
		}
		waiting, cancel := context.WithTimeout(ctx, keepWait)
		kept, err := b.keepPlace(waiting, b.config.Place.Shared())
		cancel()
		if kept {
			last, marked = now, is
		}
		if err != nil && ctx.Err() == nil {
			b.config.Log.Debug("mqtt: cannot save which changes devices were notified of", "error", err)
		}
	}
}

// keepPlace waits until devices were notified of all changes so far, and then saves the place if save is set. It reports
// whether they all were.
func (b *Client) keepPlace(ctx context.Context, save bool) (kept bool, err error) {
	if !b.config.Notifies() {
		return false, nil
	}
	place, err := b.config.Place.Now(ctx)
	if err != nil {
		return false, err
	}
	if at := time.Now(); !pollUntil(ctx, func() bool { return b.config.Followed(at) }) {
		return false, ctx.Err()
	}
	reached := make(chan struct{})
	select {
	case b.reach <- reached:
		<-reached
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if !b.notices.settle(ctx) || b.notices.missed.Load() || !b.config.Notifies() {
		return false, nil
	}
	b.notices.learned()
	if save {
		err = b.config.Place.Save(ctx, place)
	}
	return err == nil, err
}

// pollUntil waits until what returns true; false if ctx ends first.
func pollUntil(ctx context.Context, what func() bool) bool {
	for !what() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(keepPause):
		}
	}
	return true
}

// settle waits until the marked things have been notified; false if one failed.
func (n *notices) settle(ctx context.Context) bool {
	n.mu.Lock()
	round, failed, waiting := n.begun, n.failed, n.waiting
	idle := n.begun == n.ended && len(n.dirty) == 0
	n.mu.Unlock()
	if waiting > 0 || idle {
		return waiting == 0
	}
	n.wake()
	bad := false
	return pollUntil(ctx, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		bad = n.failed != failed
		return bad || n.ended > round
	}) && !bad
}

// learned records that notified is right for all things.
func (n *notices) learned() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.learning = false
}

// marks returns the number of marks so far.
func (n *notices) marks() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.marked
}
