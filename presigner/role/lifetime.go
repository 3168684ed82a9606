package role

import (
	"fmt"
	"time"

	"jobgate/presigner"
)

// warnEvery is how often a role's clamps are logged at most; the metric counts all.
const warnEvery = 10 * time.Minute

// Lifetime returns the lifetime of a URL that sess signs at time now: expires, if the
// session covers it, otherwise as the mode says. Clamped lifetimes are whole seconds. They
// are counted, and logged if they lose more than the wait for the next refresh can cost.
// Errors are [ErrShortSession], [ErrMaxExpires] or, in every mode, an [UnavailableError]
// if sess is nil or has ended.
func (r *Role) Lifetime(sess *Session, expires time.Duration, now time.Time) (granted time.Duration, clamped bool, err error) {
	if r.config.MaxExpires > 0 && expires > r.config.MaxExpires {
		return 0, false, fmt.Errorf("cannot presign with role %q: %w: expires %v exceeds %v; see roles.%s.max_expires",
			r.config.Name, ErrMaxExpires, expires, r.config.MaxExpires, r.config.Name)
	}
	if sess == nil {
		return 0, false, r.unavailable()
	}
	left := sess.left(now)
	// Fast path: the session covers the URL.
	if left >= expires {
		return expires, false, nil
	}
	switch {
	case left < presigner.MinExpires:
		return 0, false, r.unavailable()
	case r.set.options.OnShortSession == Ignore:
		return expires, false, nil
	case r.set.options.OnShortSession == Refuse:
		return 0, false, fmt.Errorf("cannot presign with role %q: %w: it ends in %v, expires is %v; see presign.on_short_session",
			r.config.Name, ErrShortSession, left.Truncate(time.Second), expires)
	}
	granted = left.Truncate(time.Second)
	r.clamped()
	r.warnOfClamp(sess, expires, granted, now)
	return granted, true, nil
}

// warnOfClamp logs a clamp that exceeds normalLoss: a refresh is overdue, or sessions are
// always shorter than expires.
func (r *Role) warnOfClamp(sess *Session, expires, granted time.Duration, now time.Time) {
	if expires-granted <= normalLoss(sess.Expires.Sub(sess.Issued), r.config.Expires) {
		return
	}
	last := r.warned.Load()
	if last != 0 && now.UnixNano()-last < int64(warnEvery) || !r.warned.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	r.set.options.Log.Warn("presigned URLs live shorter than asked for: the session ends before",
		"role", r.config.Name, "expires", expires, "granted", granted, "session_ends", sess.Expires.UTC(),
		"last_error", r.Status().LastError)
}
