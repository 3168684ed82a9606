package role

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"jobgate/presigner"
)

// Session is one set of credentials and their Signer. It is immutable.
type Session struct {
	// Role is the role's name, "" for the gateway's own credentials.
	Role string
	// Signer signs with Credentials; its address identifies the session.
	Signer *presigner.Signer
	// Credentials print redacted.
	Credentials presigner.Credentials
	// Issued is when the session was obtained, Expires when it ends; zero: never.
	Issued, Expires time.Time
}

// left returns how long the session can still sign; for one that does not end, very long.
func (s *Session) left(now time.Time) time.Duration {
	if s.Expires.IsZero() {
		return never
	}
	return s.Expires.Sub(now)
}

// usable reports whether a URL signed now is valid at all.
func (s *Session) usable(now time.Time) bool {
	return s != nil && s.left(now) >= presigner.MinExpires
}

// Role is one role of a Set.
type Role struct {
	config     Config
	set        *Set
	source     *Role       // its session assumes this role; nil for the own credentials
	dependents []*Role     // the roles that this one's session assumes
	client     *sts.Client // nil for the own credentials
	signer     *clockSigner
	listed     bool
	clamped    func()

	session  atomic.Pointer[Session]
	warned   atomic.Int64 // when a clamp was last logged, Unix nanoseconds
	duration atomic.Int64 // the requested session duration, nanoseconds
	wake     chan struct{}

	mu      sync.Mutex
	pending *attempt  // the attempt that is running or about to begin
	tried   bool      // an attempt has ended
	failure string    // why the last attempt failed, "" if it did not
	tries   int       // attempts that failed in a row
	next    time.Time // when the next attempt begins
}

// attempt is one call, shared by all its waiters.
type attempt struct{ done chan struct{} }

func newRole(s *Set, c Config) *Role {
	r := &Role{config: c, set: s, clamped: func() {}, wake: make(chan struct{}, 1)}
	r.duration.Store(int64(c.SessionDuration))
	r.pending = &attempt{done: make(chan struct{})}
	if s.options.Metrics.Clamped != nil {
		r.clamped = s.options.Metrics.Clamped(c.Name)
	}
	if c.Name != "" {
		r.source = s.roles[c.SourceRole]
		r.source.dependents = append(r.source.dependents, r)
		r.signer = &clockSigner{signer: v4.NewSigner(), now: s.options.Now}
		r.client = newClient(s.options.AWS, r.signer)
	}
	return r
}

// adopt takes over old's state, if it is the same role assumed in the same way.
func (r *Role) adopt(old *Role) {
	if old == nil || !r.same(old) {
		return
	}
	r.duration.Store(old.duration.Load())
	sess, now := old.Session(), r.set.Now()
	if !sess.usable(now) {
		return
	}
	r.session.Store(sess)
	r.pending, r.tried = nil, true
	r.next = now.Add(renewIn(sess.left(now), r.config.Expires, r.set.options.Rand()))
}

// same reports whether r and old get their sessions in the same way.
func (r *Role) same(old *Role) bool {
	if r.config.identity() != old.config.identity() {
		return false
	}
	return r.source == nil || r.source.same(old.source)
}

// Config returns the role's configuration with its defaults filled in.
func (r *Role) Config() Config { return r.config }

// Session returns the session to sign with, nil while the role is cold. While STS is down,
// the session may be close to its end or have ended: see Lifetime. One atomic load.
func (r *Role) Session() *Session { return r.session.Load() }

// Wait returns a usable session. While the role is cold it waits for the first attempt,
// which all callers share, until ctx ends. After a failure it does not wait for the
// retries but returns an [UnavailableError] at once.
func (r *Role) Wait(ctx context.Context) (*Session, error) {
	// Fast path: the role is warm.
	if sess := r.Session(); sess.usable(r.set.Now()) {
		return sess, nil
	}
	a, err := r.join()
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot wait for role %q: %w", r.config.Name, ctx.Err())
	case <-r.set.ctx.Done():
		return nil, fmt.Errorf("cannot wait for role %q: %w", r.config.Name, ErrClosed)
	}
	if sess := r.Session(); sess.usable(r.set.Now()) {
		return sess, nil
	}
	return nil, r.unavailable()
}

// Retrieve is Wait as an aws.CredentialsProvider, for the gateway's own calls, such as
// reading its templates from S3.
func (r *Role) Retrieve(ctx context.Context) (aws.Credentials, error) {
	sess, err := r.Wait(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	c := sess.Credentials
	return aws.Credentials{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		CanExpire: !sess.Expires.IsZero(), Expires: sess.Expires, Source: "jobgate role " + r.config.Name,
	}, nil
}

// join returns the attempt to wait for: the first one or, if a session ended while the
// machine slept, one that begins now. It does not wait for retries: a request during an
// outage would hang where others are refused at once.
func (r *Role) join() (*attempt, error) {
	r.mu.Lock()
	a, failing := r.pending, r.failure != ""
	begin := a == nil && !failing
	if begin {
		a = &attempt{done: make(chan struct{})}
		r.pending, r.next = a, time.Time{}
	}
	r.mu.Unlock()
	switch {
	case failing:
		return nil, r.unavailable()
	case begin:
		r.wakeRefresher()
	}
	return a, nil
}

// attemptNow makes the next attempt begin now.
func (r *Role) attemptNow() {
	r.mu.Lock()
	r.next = time.Time{}
	r.mu.Unlock()
	r.wakeRefresher()
}

// wakeRefresher ends the refresher's sleep.
func (r *Role) wakeRefresher() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// unavailable says why there is no session.
func (r *Role) unavailable() *UnavailableError {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := &UnavailableError{Role: r.config.Name, Reason: r.failure, RetryAfter: minBackoff}
	if r.pending == nil {
		e.RetryAfter = max(minBackoff, r.next.Sub(r.set.Now()))
	}
	if e.Reason == "" {
		e.Reason = "its session has ended and is being renewed"
	}
	return e
}

// State is the state of a role.
type State uint8

// The states.
const (
	Cold    State = iota // the first attempt has not ended
	Ready                // the last attempt gave a session
	Failing              // the last attempt failed
)

// String returns the state in lower case.
func (s State) String() string {
	return [...]string{"cold", "ready", "failing"}[s]
}

// Status describes a role to operators.
type Status struct {
	Role   string
	State  State
	Usable bool // it has a session that can still sign, whatever State is
	// Expires is when the session ends; zero without a session, and for one that does not end.
	Expires time.Time
	// NextAttempt is when a session is requested again.
	NextAttempt time.Time
	// SessionDuration is the duration that is requested now; zero for the own credentials.
	SessionDuration time.Duration
	// LastError is why the last attempt failed, without secrets; "" if it succeeded.
	LastError string
}

// Status returns the role's current status.
func (r *Role) Status() Status {
	sess, now := r.Session(), r.set.Now()
	st := Status{Role: r.config.Name, SessionDuration: time.Duration(r.duration.Load()), Usable: sess.usable(now)}
	if sess != nil {
		st.Expires = sess.Expires
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st.NextAttempt, st.LastError = r.next, r.failure
	switch {
	case r.failure != "":
		st.State = Failing
	case r.tried:
		st.State = Ready
	}
	return st
}
