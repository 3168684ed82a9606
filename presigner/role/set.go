package role

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Mode says what happens when a session ends before the URL would; it is the setting
// presign.on_short_session.
type Mode uint8

// The modes.
const (
	Clamp  Mode = iota // the URL ends with the session
	Refuse             // no URL
	Ignore             // the URL states the requested lifetime, and ends early
)

// Metrics are the callbacks of a Set. Any of them may be nil. They must return quickly and
// be safe for concurrent use.
type Metrics struct {
	// Request is called after each call to STS, with how long it took.
	Request func(role string, o Outcome, took time.Duration)
	// Clamped is called once per role, by [New]; the function that it returns is called
	// for each lifetime that [Role.Lifetime] clamps.
	Clamped func(role string) func()
}

// Options are the options of a Set.
type Options struct {
	// AWS holds the standard credential chain, the region, the HTTP client and the
	// endpoint settings: what config.LoadDefaultConfig returns.
	AWS aws.Config
	// Roles lists every role that may sign. List the name "" too if the gateway's own
	// credentials sign; else they only assume the others.
	Roles []Config
	// OnShortSession is Clamp unless set.
	OnShortSession Mode
	// Adopt, if not nil, is the Set of the previous configuration. Its clock is kept, and
	// unchanged roles keep their sessions, without a call to STS. It must have the same
	// AWS settings. Close it when its readers are done.
	Adopt *Set
	// Metrics may be empty.
	Metrics Metrics
	// Log may be nil: nothing is logged.
	Log *slog.Logger
	// Now is the local clock, time.Now unless set. With Adopt it is ignored.
	Now func() time.Time
	// Rand returns jitter in [0, 1) and is safe for concurrent use; math/rand/v2 unless set.
	Rand func() float64
}

// Set is all roles of one configuration. It never changes; a new configuration needs a new
// Set.
type Set struct {
	options Options
	clock   *clock
	roles   map[string]*Role
	sorted  []*Role // sources before those that they assume

	start  sync.Once
	cancel context.CancelFunc // of the refreshers
	ctx    context.Context
	done   sync.WaitGroup
}

// New checks the roles and prepares a Set; it makes no request before Start.
func New(o Options) (*Set, error) {
	configs, err := order(o.Roles)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	adopt := o.Adopt
	o.Adopt = nil // so that it can be collected before this Set
	s := &Set{options: o, roles: make(map[string]*Role, len(configs))}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if adopt != nil {
		s.clock = adopt.clock
	} else {
		s.clock = newClock(o.Now, o.Log)
	}
	for _, c := range configs {
		if c.Name != "" && o.AWS.Region == "" {
			return nil, errors.New("cannot assume roles: no AWS region; set AWS_REGION, or region in the shared config")
		}
		r := newRole(s, c)
		r.listed = slices.ContainsFunc(o.Roles, func(l Config) bool { return l.Name == c.Name })
		if adopt != nil {
			r.adopt(adopt.roles[c.Name])
		}
		s.roles[c.Name] = r
		s.sorted = append(s.sorted, r)
	}
	return s, nil
}

// Start starts the refreshers, which run until ctx ends or Close. Only the first call counts.
func (s *Set) Start(ctx context.Context) {
	s.start.Do(func() {
		context.AfterFunc(ctx, s.cancel)
		for _, r := range s.sorted {
			s.done.Go(func() { r.run(s.ctx) })
		}
	})
}

// Close ends the refreshers and waits for them. Existing sessions stay valid but are not
// renewed; callers of Wait get [ErrClosed].
func (s *Set) Close() {
	s.start.Do(func() {})
	s.cancel()
	s.done.Wait()
}

// Role returns the role of that name, "" for the gateway's own credentials, and whether
// it was listed in Options.Roles.
func (s *Set) Role(name string) (*Role, bool) {
	r, ok := s.roles[name]
	if !ok || !r.listed {
		return nil, false
	}
	return r, true
}

// Now returns the best estimate of AWS's time: the local clock plus Skew.
func (s *Set) Now() time.Time { return s.clock.Time() }

// Skew returns what to add to the local clock to get AWS's time: zero unless the clock is
// off by more than 5 seconds, and at most 24 hours. One atomic load.
func (s *Set) Skew() time.Duration { return time.Duration(s.clock.applied.Load()) }

// MeasuredSkew returns the skew as measured, however small or large; for the metric.
func (s *Set) MeasuredSkew() time.Duration { return time.Duration(s.clock.measured.Load()) }

// ObserveDate measures the clock by the Date header of a signed answer, for example of S3:
// serverDate from the header, receivedAt by the local clock, rtt since the request was sent.
// Cached answers (with an Age header) must not be passed.
func (s *Set) ObserveDate(serverDate, receivedAt time.Time, rtt time.Duration) {
	s.clock.observe(serverDate, receivedAt, rtt)
}

// Status returns the status of each listed role, sorted by name.
func (s *Set) Status() []Status {
	all := make([]Status, 0, len(s.sorted))
	for _, r := range s.sorted {
		if r.listed {
			all = append(all, r.Status())
		}
	}
	slices.SortFunc(all, func(a, b Status) int {
		switch {
		case a.Role < b.Role:
			return -1
		case a.Role > b.Role:
			return 1
		}
		return 0
	})
	return all
}

// renewAll renews, now, every session that can expire.
func (s *Set) renewAll() {
	for _, r := range s.sorted {
		if sess := r.Session(); sess == nil || !sess.Expires.IsZero() {
			r.attemptNow()
		}
	}
}
