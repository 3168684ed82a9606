package signing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobgate/presigner"
	"jobgate/presigner/role"
)

// Terms are the parameters of a request for a grant.
type Terms struct {
	Role    string        // the Authority's name for it: a name under roles, or an ARN
	Expires time.Duration // of the URLs
	Begin   time.Time     // when the URLs begin
	Now     time.Time     // when they are handed out
	Wait    time.Duration // longest wait for a session; 0: as long as the context allows
}

// Grant permits signing with a session.
type Grant struct {
	Signer   *presigner.Signer // its address identifies the session; nil: nothing to sign
	Lifetime time.Duration     // of the URLs
	Clamped  bool              // Lifetime is shorter than what was asked for, because the session ends
	Ends     time.Time         // when the session ends; zero: never
}

// Authority says who signs for a role. It must be safe for concurrent use.
type Authority interface {
	// Skew is what to add to the local clock to get AWS's time. It does not block.
	Skew() time.Duration
	// Grant returns who signs at t.Now, and for how long. It may wait for a cold role, until ctx ends. RetryAfter returns
	// when to retry after an error.
	Grant(ctx context.Context, t Terms) (Grant, error)
}

// Sessions is the Authority of a set of roles, by their names; "" is the gateway's own credentials.
type Sessions struct{ Roles *role.Set }

// Skew implements Authority.
func (s Sessions) Skew() time.Duration { return s.Roles.Skew() }

// Grant implements Authority. If a role has no valid session, all callers wait for the same one, unless the role is known to
// be failing. No URL lives longer than the role's max_expires.
func (s Sessions) Grant(ctx context.Context, t Terms) (Grant, error) {
	r, listed := s.Roles.Role(t.Role)
	if !listed {
		return Grant{}, unknownRole(t.Role)
	}
	session := r.Session()
	if session == nil || !session.Expires.IsZero() && !t.Now.Before(session.Expires) {
		// Slow path: the time limit costs more than all the rest.
		var err error
		if session, err = wait(ctx, r, t.Wait); err != nil {
			return Grant{}, err
		}
	}
	expires := t.Expires
	if most := r.Config().MaxExpires; most > 0 {
		expires = min(expires, most.Truncate(time.Second))
	}
	lifetime, clamped, err := r.Lifetime(session, expires, t.Begin)
	if err != nil {
		return Grant{}, err
	}
	return Grant{Signer: session.Signer, Lifetime: lifetime, Clamped: clamped, Ends: session.Expires}, nil
}

// wait waits for a session of r, for at most the given time.
func wait(ctx context.Context, r *role.Role, most time.Duration) (*role.Session, error) {
	if most > 0 {
		waiting, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		ctx = waiting
	}
	return r.Wait(ctx)
}

func unknownRole(name string) error {
	return fmt.Errorf("cannot sign with role %q: it is not one of roles", name)
}

// RetryAfter returns when to retry a request that failed to sign with err: after the role's next attempt, and at least a
// second.
func RetryAfter(err error) time.Duration {
	var unavailable *role.UnavailableError
	if errors.As(err, &unavailable) {
		return max(time.Second, unavailable.RetryAfter)
	}
	return time.Second
}
