package role

import (
	"context"
	"log/slog"
	"time"
)

// The refreshers' intervals.
const (
	margin         = time.Minute      // a refresh ends this long before the session gets too short
	minInterval    = time.Minute      // sessions are not renewed more often to keep ahead of need
	shortInterval  = 5 * time.Minute  // ± 20 %, if sessions are too short to renew ahead of need
	attemptTimeout = 10 * time.Second // of one call to STS
	ownTimeout     = 30 * time.Second // of the standard chain, which may try several services
	minBackoff     = time.Second
	maxBackoff     = time.Minute
	urgentBackoff  = 10 * time.Second // without a session, or close to its end
	urgentLeft     = 2 * maxBackoff
	maxSleep       = time.Minute // between checks of the clock: timers stop while a machine sleeps
	never          = 100 * 365 * 24 * time.Hour
)

// renewIn returns when to renew a session of which left remains, for URLs that live for
// expires at most; jitter is within [0, 1). It renews ahead of need, by the margin and
// 10–30 % of the spare time, so that an outage of that length has no effect.
func renewIn(left, expires time.Duration, jitter float64) time.Duration {
	if left == never {
		return never
	}
	if spare := left - expires - margin; spare >= minInterval {
		return scale(spare, 0.7+0.2*jitter)
	}
	return max(minBackoff, min(scale(shortInterval, 0.8+0.4*jitter), left/2))
}

// normalLoss returns how much of a URL's lifetime renewIn's intervals can cost by
// themselves, with sessions that live for life.
func normalLoss(life, expires time.Duration) time.Duration {
	if life-expires-margin >= minInterval {
		return 0
	}
	return scale(shortInterval, 1.2) + attemptTimeout
}

// retryIn returns when to try again after the given number of failures in a row.
func retryIn(tries int, left time.Duration, jitter float64) time.Duration {
	limit := maxBackoff
	if left < urgentLeft {
		limit = urgentBackoff
	}
	backoff := limit
	if shift := tries - 1; shift < 6 { // 1s … 32s
		backoff = min(limit, minBackoff<<shift)
	}
	return scale(backoff, 0.5+0.5*jitter)
}

func scale(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

// run is the role's refresher. It ends with ctx.
func (r *Role) run(ctx context.Context) {
	for ctx.Err() == nil {
		if r.set.clock.check() {
			r.set.options.Log.Info("the local clock was set, or the machine slept: renewing the role sessions")
			r.set.renewAll()
		}
		if wait := r.untilNext(); wait > 0 {
			r.sleep(ctx, min(wait, maxSleep))
			continue
		}
		r.try(ctx)
	}
}

func (r *Role) untilNext() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next.Sub(r.set.Now())
}

func (r *Role) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.wake:
	case <-ctx.Done():
	}
}

// try makes one attempt, from publishing it to its waiters until they have the result.
func (r *Role) try(ctx context.Context) {
	r.mu.Lock()
	if r.pending == nil {
		r.pending = &attempt{done: make(chan struct{})}
	}
	r.mu.Unlock()
	sess, err := r.obtain(ctx)
	switch {
	case ctx.Err() != nil: // closed: not a failure
	case err != nil:
		r.failed(err)
	default:
		r.succeeded(sess)
	}
}

func (r *Role) succeeded(sess *Session) {
	now := r.set.Now()
	left := sess.left(now)
	wait := renewIn(left, r.config.Expires, r.set.options.Rand())
	first := r.session.Swap(sess) == nil
	r.mu.Lock()
	recovered := r.failure != ""
	r.failure, r.tries = "", 0
	r.end(now.Add(wait))
	r.mu.Unlock()

	level := slog.LevelDebug
	if first || recovered {
		level = slog.LevelInfo
	}
	attrs := []any{"role", r.config.Name}
	if left != never {
		attrs = append(attrs, "expires", sess.Expires.UTC(), "renew_in", wait.Round(time.Second))
	}
	r.set.options.Log.Log(context.Background(), level, "role session obtained", attrs...)
	if first || recovered {
		for _, d := range r.dependents {
			d.sourceRecovered()
		}
	}
}

func (r *Role) failed(err error) {
	now := r.set.Now()
	left := time.Duration(0)
	sess := r.Session()
	if sess != nil {
		left = sess.left(now)
	}
	r.mu.Lock()
	r.tries++
	r.failure = err.Error()
	wait := retryIn(r.tries, left, r.set.options.Rand())
	r.end(now.Add(wait))
	r.mu.Unlock()

	attrs := []any{"role", r.config.Name, "error", err, "retry_in", wait.Round(time.Millisecond)}
	if sess.usable(now) {
		r.set.options.Log.Warn("cannot renew the role session: the old one stays in use", append(attrs, "expires", sess.Expires.UTC())...)
	} else {
		r.set.options.Log.Error("cannot obtain a role session", attrs...)
	}
}

// end wakes the attempt's waiters. r.mu is held.
func (r *Role) end(next time.Time) {
	r.tried, r.next = true, next
	close(r.pending.done)
	r.pending = nil
}

// sourceRecovered ends a back-off that the source's failure probably caused.
func (r *Role) sourceRecovered() {
	r.mu.Lock()
	failing := r.failure != ""
	r.mu.Unlock()
	if failing {
		r.attemptNow()
	}
}
