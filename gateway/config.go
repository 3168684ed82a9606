package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/metrics"
	"jobgate/gateway/reclaim"
	"jobgate/gateway/signing"
	"jobgate/gateway/source"
	"jobgate/presigner"
	"jobgate/presigner/role"
)

// Config is one configuration's request handling. The configuration file has been
// checked before: errors of New have no line numbers.
type Config struct {
	Routes   []Route
	Auth     Auth
	Limits   Limits
	Presign  Presign
	Upstream []string // base URLs of the fleet backend; none: 404 if no route matches
	Sidecar  *Sidecar // nil: off

	Roles     *role.Set
	Rules     map[string]signing.RoleRules // by role; "" is the gateway's own credentials
	Sources   map[string]source.Source     // by scheme: s3, http, https; folders are opened by New
	Documents *Documents                   // outlives the Handler
	Jobs      Jobs                         // nil: off
	Overload  Gate                         // outlives the Handler; nil: off
	CodeSign  CodeSigning                  // nil: code-sign placeholders are refused

	Metrics *metrics.Set
	Log     *slog.Logger

	// Clock returns the time of a request; nil is the time at which its header was read.
	Clock func(*fasthttp.RequestCtx) time.Time
}

// Gate sheds load while more requests arrive than the processors can serve; see overload.Gate.
type Gate interface {
	Admit() bool // of every request
	Alert() bool // long work takes turns
	Turn() (began time.Time, ok bool)
	EndTurn(began time.Time) // after each Turn that returned true
}

// Route is one entry of routes.
type Route struct {
	Path         string // "/things/{thingName}/jobs/{jobId}/document"
	Document     string // URL of the template, "s3://job-documents/{jobId}.json"; "" with Fill
	Fill         bool   // proxied, the placeholders in JSON answers filled in flight
	CodeSign     bool   // with Fill: code-sign placeholders get existing signatures
	PassUnfilled bool   // with Fill: answers that cannot be filled are forwarded unchanged instead of 502
	Strict       bool   // AWS's own refusals
	Role         string // a name in Roles; "" is the gateway's own credentials
	Expires      time.Duration
	Parameters   map[string]string
	ContentType  string // instead of the source's
}

// CodeSigning gives the signatures of code files.
type CodeSigning interface {
	// Making signs the files of an operator's template, until ctx ends.
	Making(ctx context.Context) jobdoc.CodeSignatures
	// Kept returns signatures made before, never new ones: it is for untrusted text.
	Kept() jobdoc.CodeSignatures
	// Generation changes when the keys, or what they may sign, change.
	Generation() string
}

// Presign holds the settings of all URLs.
type Presign struct {
	Quantum     time.Duration // whole seconds, ≥ 1 s: URLs signed within one quantum are identical
	Expires     time.Duration // default life of a URL
	Role        string        // default role
	MaxURLBytes int           // > 0: warn and count when a URL is longer
	Hosts       s3host.Config
}

// Limits bound a request, and all requests together. Zero means no limit where the
// field says so.
type Limits struct {
	MaxDocument      int // bytes of a template, before filling
	MaxPlaceholders  int
	MaxRendered      int // bytes of a document, after filling
	MaxRequestHeader int // bytes of request line and header
	MaxBody          int // bytes of a request's body
	MaxConnections   int // 0: as many as the system allows
	MaxInFlight      int // 0: no limit
	ReadTimeout      time.Duration
	WriteTimeout     time.Duration // between two writes that make progress
	IdleTimeout      time.Duration
	UpstreamTimeout  time.Duration // each wait for the upstream, or for a cold source or role
}

// Jobs is the IoT Jobs data plane on the device listener.
type Jobs interface {
	// Match reports whether method and x's Target name an operation of the data plane.
	Match(method []byte, x *data.Exchange) bool
	// Serve answers the operation that x matched.
	Serve(ctx *fasthttp.RequestCtx, x *data.Exchange)
}

func (c *Config) validate() error {
	switch {
	case c.Metrics == nil || c.Log == nil || c.Roles == nil || c.Documents == nil:
		return errors.New("cannot make a gateway: Metrics, Log, Roles and Documents are required")
	case c.Presign.Quantum < time.Second || c.Presign.Quantum%time.Second != 0:
		return fmt.Errorf("cannot make a gateway: quantum %v is not whole seconds; see presign.quantum", c.Presign.Quantum)
	case c.Auth.Mode == AuthHeader && (c.Auth.Header == "" || len(c.Auth.TrustedProxies) == 0):
		return errors.New("cannot make a gateway: auth.mode header needs auth.header and auth.trusted_proxies")
	case c.Auth.Mode == AuthSigV4 && c.Auth.Verify == nil:
		return errors.New("cannot make a gateway: auth.mode sigv4 needs access keys; see jobs.access_keys_file")
	}
	return nil
}

// New returns a Handler for c. It opens the routes' sources and makes no request.
func New(c Config) (*Handler, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	h := &Handler{
		auth: c.Auth, limits: c.Limits, presign: c.Presign, roles: c.Roles, documents: c.Documents, loaded: &reclaim.Watch{Collect: reclaim.Memory}, jobs: c.Jobs, overload: c.Overload, codesign: c.CodeSign,
		memo: presigner.NewMemo(), log: c.Log, clock: c.Clock, counters: c.Metrics.Counters(),
		refusals:  edge.Refusals{Log: c.Log, Limit: &c.Metrics.LogLimit},
		unmatched: c.Metrics.Edge.Route("none", c.Log), proxied: c.Metrics.Edge.Route("proxy", c.Log), jobsDurations: c.Metrics.Edge.Route("jobs", c.Log),
	}
	if h.clock == nil {
		h.clock = (*fasthttp.RequestCtx).Time
	}
	err := h.newSigning(&c)
	if err != nil {
		return nil, err
	}
	if h.upstream, err = h.newProxy(&c); err != nil {
		return nil, err
	}
	if err = h.addRoutes(&c); err != nil {
		return nil, err
	}
	if h.sidecar, err = newSidecar(h, &c); err != nil {
		return nil, err
	}
	return h, nil
}

// Close frees the Handler's resources. No request may use it any more.
func (h *Handler) Close() {
	if h.upstream != nil {
		h.upstream.Close()
	}
}

// newSigning creates the signing parts and the rules for parsing documents.
func (h *Handler) newSigning(c *Config) (err error) {
	h.permits, err = signing.NewPermits(c.Presign.Hosts, c.Rules, signing.Limits{
		MaxDocument: c.Limits.MaxDocument, MaxPlaceholders: c.Limits.MaxPlaceholders, MaxRendered: c.Limits.MaxRendered,
	})
	h.signing = signing.Renderer{
		Authority: signing.Sessions{Roles: c.Roles}, Quantum: c.Presign.Quantum, Timeout: c.Limits.UpstreamTimeout, Count: h.countURLs,
	}
	if c.Presign.Quantum > time.Second {
		h.signing.Tag = appendETag
	}
	return err
}

// options returns the parsing rules for documents of a role; the role must be in use.
func (h *Handler) options(c *Config, roleName string) (jobdoc.Options, error) {
	if _, known := c.Roles.Role(roleName); !known {
		return jobdoc.Options{}, fmt.Errorf("role %q is not one of roles", roleName)
	}
	return h.permits.Options(roleName)
}

func (h *Handler) addRoutes(c *Config) error {
	for i := range c.Routes {
		r, err := h.newRoute(c, &c.Routes[i])
		if err != nil {
			return fmt.Errorf("cannot use route %q: %w", c.Routes[i].Path, err)
		}
		if by := h.router.shadowedBy(r); by != "" {
			return fmt.Errorf("cannot use route %q: it is never reached, because the earlier route %q matches all its paths", c.Routes[i].Path, by)
		}
		h.router.add(r)
	}
	return nil
}
