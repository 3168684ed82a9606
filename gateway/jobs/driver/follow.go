package driver

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
)

// How the feed of a shared store is read: notices per read, how long a read waits for the first, the pause after a failed
// read, and how long notices are kept for gateways that have fallen behind.
const (
	feedLimit = 1024
	feedWait  = 500 * time.Millisecond
	feedPause = 250 * time.Millisecond
	feedKept  = 2 * time.Minute
	feedPrune = 10 * time.Second
)

// follow publishes the changes by all gateways of a shared store, including this one, until ctx ends, so that every gateway
// publishes all changes in the same order. It wakes the driver for jobs that another gateway changed.
func (d *Driver) follow(ctx context.Context) {
	after, down := "", false
	for ctx.Err() == nil {
		began := time.Now().UnixNano()
		notices, next, err := d.store.Feed(ctx, after, feedLimit, feedWait)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, jobs.ErrFeedMissed):
			d.log.Warn("jobs: changes of other gateways were missed: this one fell behind, or the database was restored or failed over; followers get events.missed")
			d.publish.Lose()
			d.documents.Clear()
			d.scheduler.markAllDue()
			after = ""
			continue
		case err != nil:
			if !down {
				d.log.Warn("jobs: cannot follow the changes of the other gateways; trying again", "error", err)
			}
			down = true
			wait(ctx, feedPause)
			continue
		case down:
			d.log.Info("jobs: following the changes of the other gateways again")
		}
		after, down = next, false
		for i := range notices {
			d.noticed(&notices[i])
		}
		if len(notices) < feedLimit {
			d.caughtUp.Store(time.Now().UnixNano())
			d.followed.Store(began)
		}
	}
}

// noticed publishes a notice and schedules the work that follows from it.
func (d *Driver) noticed(n *jobs.Notice) {
	now := time.Now()
	n.Events(now, d.publish.Publish)
	switch n.Type {
	case jobs.EventJobDeleted:
		d.documents.Forget(n.JobID)
	case jobs.EventJobProgress:
		if n.Counts != nil {
			d.published.record(n.JobID, jobs.Sample{At: now, Counts: *n.Counts})
		}
	case jobs.EventThingDeleted:
	case jobs.EventExecution:
		wants := false
		for i := range n.Executions {
			x := &n.Executions[i]
			wants = wants || x.Status.Terminal()
			if x.Due != 0 {
				d.ScheduleTimer(time.UnixMilli(x.Due))
			}
		}
		if wants {
			d.Schedule(n.JobID)
		} else {
			d.Soon(n.JobID)
		}
	default:
		if n.Type == jobs.EventJobUpdated {
			d.documents.Forget(n.JobID)
		}
		if n.JobID != "" {
			d.Schedule(n.JobID)
		}
	}
}

// FeedLag returns the time since this gateway last had read all changes by the store's gateways; usually below a second. 0
// if the store is not shared.
func (d *Driver) FeedLag() time.Duration {
	at := d.caughtUp.Load()
	if at == 0 {
		return 0
	}
	return time.Since(time.Unix(0, at))
}

// Followed reports whether all changes that were committed before t, by any gateway of the store, have been published here.
func (d *Driver) Followed(t time.Time) bool { return !d.shared || d.followed.Load() > t.UnixNano() }

// prune occasionally drops old notices, which no gateway needs any more.
func (d *Driver) prune(ctx context.Context, now time.Time) {
	if !d.shared || now.Sub(d.pruned) < feedPrune {
		return
	}
	d.pruned = now
	if err := d.store.PruneFeed(ctx, feedKept); err != nil && ctx.Err() == nil {
		d.log.Warn("jobs: cannot drop old notices from the feed", "error", err)
	}
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
