package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway"
	"jobgate/gateway/source"
	"jobgate/presigner/role"
)

// process is one running gateway: what lives from its start to its end, and the parts of the configuration in force.
type process struct {
	options   config.Options // how to load the configuration again
	aws       aws.Config
	s3        string // where AWS's settings say S3 is
	level     *slog.LevelVar
	log       *slog.Logger
	metrics   *gateway.Metrics
	documents *gateway.Documents
	server    *gateway.Server

	mu     sync.Mutex // one reload at a time; guards what follows
	loaded *config.Loaded
	parts  parts
}

// parts are what one configuration makes; a reload makes them anew.
type parts struct {
	roles   *role.Set
	sources map[string]source.Source // by scheme
	handler *gateway.Handler
}

// start makes a gateway ready: every part is made, every address bound, nothing is served before run. settings finds
// AWS's; log lines go to w.
func start(ctx context.Context, o config.Options, settings func(context.Context) (aws.Config, error), w io.Writer) (_ *process, err error) {
	// 1. What the operator wants, and where AWS is.
	loaded, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	if loaded.Jobs.Enabled {
		return nil, errors.New("cannot start the IoT Jobs service: this build has none; set jobs.enabled: false")
	}
	p := &process{options: o, loaded: loaded, level: new(slog.LevelVar)}
	if p.aws, err = settings(ctx); err != nil {
		return nil, err
	}
	if p.s3, err = s3Endpoint(ctx, p.aws); err != nil {
		return nil, err
	}
	// 2. What outlives a reload.
	p.log = newLogger(w, loaded.Log, p.level)
	logWarnings(p.log, loaded.Warnings)
	build := buildVersion()
	p.metrics = gateway.NewMetrics(build.version, build.revision)
	if p.documents, err = gateway.NewDocuments(documents(&loaded.Config)); err != nil {
		return nil, err
	}
	// 3. What one configuration makes.
	if p.parts, err = p.wire(&loaded.Config, nil); err != nil {
		p.documents.Close()
		return nil, err
	}
	// 4. The listeners.
	if p.server, err = gateway.NewServer(p.serverConfig(&loaded.Config), p.parts.handler); err != nil {
		p.parts.close()
		p.documents.Close()
		return nil, err
	}
	p.metrics.ReloadResult(true)
	return p, nil
}

// wire makes the parts of a configuration; sessions of roles in before are taken over. It asks nobody anything.
func (p *process) wire(c *config.Config, before *role.Set) (_ parts, err error) {
	var made parts
	defer func() {
		if err != nil {
			made.close()
		}
	}()
	// Roles: who signs.
	made.roles, err = role.New(role.Options{
		AWS: p.aws, Roles: roleConfigs(c, rolesInUse(c)), OnShortSession: shortSession(c), Adopt: before,
		Metrics: p.metrics.RoleHooks(), Log: p.log,
	})
	if err != nil {
		return made, err
	}
	// Sources: where templates come from.
	if made.sources, err = p.openSources(c, made.roles); err != nil {
		return made, err
	}
	// The handler: what happens to a request.
	sidecar, err := newSidecar(c)
	if err != nil {
		return made, err
	}
	made.handler, err = gateway.New(gateway.Config{
		Routes: routes(c), Auth: auth(c), Limits: limits(c.Limits), Upstream: c.Upstream, Sidecar: sidecar,
		Presign: gateway.Presign{
			Quantum: c.Presign.Quantum, Expires: c.Presign.Expires, Role: c.Presign.Role, MaxURLBytes: c.Presign.MaxURLBytes,
			Hosts: hosts(c, p.aws, p.s3),
		},
		Roles: made.roles, Rules: rules(c), Sources: made.sources, Documents: p.documents,
		Metrics: p.metrics, Log: p.log, LowMemory: c.Memory == "low",
	})
	return made, err
}

// compile makes everything that a configuration needs, short of listening and asking, and throws it away: what it finds
// wrong, serve would.
func compile(ctx context.Context, c config.Config) (err error) {
	p := &process{log: slog.New(slog.DiscardHandler), metrics: gateway.NewMetrics("", "")}
	if p.aws, err = loadAWS(ctx); err != nil {
		return err
	}
	if p.s3, err = s3Endpoint(ctx, p.aws); err != nil {
		return err
	}
	if p.aws.Region == "" {
		p.aws.Region = "us-east-1" // another machine's matter
	}
	if _, err := os.Stat(c.SidecarTokenFile); err != nil {
		c.SidecarTokenFile = "" // likewise
	}
	if p.documents, err = gateway.NewDocuments(documents(&c)); err != nil {
		return err
	}
	defer p.documents.Close()
	made, err := p.wire(&c, nil)
	if err != nil {
		return err
	}
	made.handler.Close()
	made.close()
	return nil
}

// close ends what the parts run. The handler is the server's.
func (p parts) close() {
	if p.roles != nil {
		p.roles.Close()
	}
	for _, s := range p.sources {
		if closer, ok := s.(interface{ Close() }); ok {
			closer.Close()
		}
	}
}

// openSources makes the sources that the routes name; the folders of file:// are the routes' own. They sign with
// cache.role, and what they learn of AWS's clock the roles are told.
func (p *process) openSources(c *config.Config, roles *role.Set) (map[string]source.Source, error) {
	made := map[string]source.Source{}
	timeout := c.Limits.UpstreamTimeout
	for _, r := range c.Routes {
		scheme, _, _ := strings.Cut(r.Document, "://")
		if made[scheme] != nil {
			continue
		}
		switch scheme {
		case "s3":
			retrieve := p.aws.Credentials.Retrieve
			if r, listed := roles.Role(c.Cache.Role); listed {
				retrieve = r.Retrieve
			}
			s3, err := source.NewS3(source.S3Options{
				Credentials: retrieve, Region: p.aws.Region, BucketRegions: c.Presign.BucketRegions, Endpoint: p.s3,
				Skew: roles.Skew, OnDate: roles.ObserveDate, Timeout: timeout,
			})
			if err != nil {
				return made, err
			}
			made[scheme] = s3
		case "http", "https":
			http := source.NewHTTP(source.HTTPOptions{Timeout: timeout})
			made["http"], made["https"] = http, http
		}
	}
	return made, nil
}

// minToken is the least length of a sidecar's token.
const minToken = 16

// newSidecar describes POST /render, nil when it is off.
func newSidecar(c *config.Config) (*gateway.Sidecar, error) {
	if c.Sidecar == "" {
		return nil, nil //nolint:nilnil // off is no error
	}
	s := &gateway.Sidecar{
		Loopback:    !strings.HasPrefix(c.Sidecar, "unix://"),
		Roles:       slices.Sorted(maps.Keys(c.Roles)),
		DefaultRole: c.Presign.Role, DefaultExpires: c.Presign.Expires,
	}
	if c.Presign.Role == "" {
		s.Roles = append(s.Roles, "")
	}
	if c.SidecarTokenFile == "" {
		return s, nil
	}
	text, err := os.ReadFile(c.SidecarTokenFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read sidecar_token_file: %w", err)
	}
	token := bytes.TrimSpace(text)
	if len(token) < minToken {
		return nil, fmt.Errorf("cannot use sidecar_token_file %q: it holds %d bytes, at least %d are needed", c.SidecarTokenFile, len(token), minToken)
	}
	s.Token = func() []byte { return token }
	return s, nil
}

// serverConfig is what stays until the process ends.
func (p *process) serverConfig(c *config.Config) gateway.ServerConfig {
	s := gateway.ServerConfig{
		Listen: c.Listen, Admin: c.Admin, AdminDebug: c.AdminDebug, Sidecar: c.Sidecar,
		Limits: limits(c.Limits), LowMemory: c.Memory == "low", Streaming: len(c.Upstream) > 0,
		DrainDelay: c.Drain.Delay, DrainLimit: c.Drain.Timeout,
		Reload: func(context.Context) error { return p.reload() }, Dump: p.dump,
		Metrics: p.metrics, Log: p.log,
	}
	if c.TLS.CertFile != "" {
		s.TLS = &gateway.TLS{CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, ClientCAFile: c.TLS.ClientCAFile, RequireClientCert: c.Auth.Mode == "mtls"}
	}
	return s
}

// run serves until ctx ends, then drains. It returns nil after a complete drain.
func (p *process) run(ctx context.Context) error {
	p.parts.roles.Start(context.WithoutCancel(ctx)) // requests in flight sign until the drain is over
	p.metrics.Watch(p.parts.roles, p.documents)
	p.logAddresses()
	watching, stop := context.WithCancel(ctx)
	go watchFiles(watching, p.watched, func() { _ = p.reload() }) // it logs its own errors
	err := p.server.Run(ctx)
	stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts.close()
	p.documents.Close()
	return err
}

func (p *process) logAddresses() {
	args := []any{"version", buildVersion().version}
	for _, name := range []string{"listen", "admin", "sidecar", "control"} {
		if addr := p.server.Addr(name); addr != nil {
			args = append(args, name, addr.String())
		}
	}
	p.log.Info("serving", args...)
}

// dump is the configuration in force, for operators.
func (p *process) dump() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out bytes.Buffer
	_, _ = p.loaded.WriteTo(&out) // a buffer takes everything
	return out.Bytes()
}

// oldRequests is how long the parts of a configuration outlive it, for requests that began with them.
const oldRequests = time.Minute
