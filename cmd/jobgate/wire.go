package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/gateway"
	"jobgate/gateway/localfile"
	"jobgate/gateway/metrics"
	"jobgate/gateway/source"
	"jobgate/presigner/role"
)

// wire builds the parts of a configuration and adopts the role sessions of the set before. It makes no network request.
func (p *process) wire(c *config.Config, before *role.Set) (_ parts, err error) {
	var made parts
	defer func() {
		if err != nil {
			made.close()
		}
	}()
	// Roles sign URLs.
	made.roles, err = role.New(role.Options{
		AWS: p.aws, Roles: configured.Roles(c, configured.RolesInUse(c)), OnShortSession: configured.ShortSession(c), Adopt: before,
		Metrics: p.metrics.RoleHooks(), Log: p.log,
	})
	if err != nil {
		return made, err
	}
	// Code signing signs files for documents.
	if made.codes, err = p.codesign.Open(c, made.roles); err != nil {
		return made, err
	}
	// The jobs' rules say what jobs may sign.
	if c.Jobs.Enabled {
		if made.jobs, err = newJobRules(c, p.aws, p.s3, made.roles); err != nil {
			return made, err
		}
		made.jobs.sign(made.codes)
	}
	// Sources load templates.
	if made.sources, err = p.openSources(c, made.roles); err != nil {
		return made, err
	}
	// The handler serves requests.
	sidecar, err := newSidecar(c)
	if err != nil {
		return made, err
	}
	made.handler, err = gateway.New(gateway.Config{
		Routes: configured.Routes(c), Auth: configured.Auth(c, p.verifier), Limits: configured.Limits(c.Limits), Upstream: c.Upstream, Sidecar: sidecar,
		Presign: gateway.Presign{
			Quantum: c.Presign.Quantum, Expires: c.Presign.Expires, Role: c.Presign.Role, MaxURLBytes: c.Presign.MaxURLBytes,
			Hosts: configured.Hosts(c, p.aws, p.s3),
		},
		Roles: made.roles, Rules: configured.Rules(c), Sources: made.sources, Documents: p.documents, Jobs: p.dataPlane(), Overload: p.gate(),
		CodeSign: made.codes.Gateway(),
		Metrics:  p.metrics, Log: p.log,
	})
	return made, err
}

// gate returns the admission control for overload; nil in check, which serves no requests.
func (p *process) gate() gateway.Gate {
	if p.overload == nil {
		return nil
	}
	return p.overload
}

// dataPlane returns the handler of devices' operations on jobs; nil if jobs are off.
func (p *process) dataPlane() gateway.Jobs {
	if p.jobs == nil {
		return nil
	}
	return p.jobs.data
}

// compile builds all parts of a configuration, without listening or making requests, and discards them. It reports the
// errors that serve would.
func compile(ctx context.Context, c config.Config) (err error) {
	p := &process{log: slog.New(slog.DiscardHandler), metrics: metrics.New("", "")}
	if p.aws, err = awsenv.Load(ctx, p.log); err != nil {
		return err
	}
	if p.s3, err = awsenv.S3Endpoint(ctx, p.aws); err != nil {
		return err
	}
	if p.aws.Region == "" {
		p.aws.Region = "us-east-1" // the machine that serves may set it
	}
	if _, err := os.Stat(c.SidecarTokenFile); err != nil {
		c.SidecarTokenFile = "" // this file may exist only on that machine
	}
	c.CodeSign.Profiles = maps.Clone(c.CodeSign.Profiles)
	for name, profile := range c.CodeSign.Profiles {
		if _, err := os.Stat(profile.KeyFile); err != nil && profile.KMSKey == "" {
			delete(c.CodeSign.Profiles, name) // likewise
		}
	}
	if _, err := os.Stat(c.Jobs.AccessKeysFile); err != nil {
		c.Jobs.AccessKeysFile = "" // likewise
	}
	if err := p.openKeys(&c); err != nil {
		return err
	}
	if err := p.openCodeSigning(); err != nil {
		return err
	}
	if p.documents, err = gateway.NewDocuments(configured.Documents(&c)); err != nil {
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

// close stops what the parts run. The server owns the handler.
func (p parts) close() {
	if p.roles != nil {
		p.roles.Close()
	}
	p.codes.Close()
	for _, s := range p.sources {
		if closer, ok := s.(interface{ Close() }); ok {
			closer.Close()
		}
	}
}

// openSources creates the sources that the routes name, except file://, whose folders belong to the routes. S3 requests are
// signed with cache.role, and their responses correct the roles' clock.
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
			s3, err := source.NewS3(configured.S3Options(c, p.aws, p.s3, roles))
			if err != nil {
				return made, err
			}
			made[scheme] = s3
		case "http", "https":
			http := source.NewHTTP(source.HTTPOptions{Timeout: timeout, MaxLimit: int64(c.Limits.MaxDocument)})
			made["http"], made["https"] = http, http
		}
	}
	return made, nil
}

// minToken is the minimum length of a sidecar's token, in bytes.
const minToken = 16

// newSidecar returns the options of POST /render, nil if it is off.
func newSidecar(c *config.Config) (*gateway.Sidecar, error) {
	if c.Sidecar == "" {
		return nil, nil //nolint:nilnil // nil is off
	}
	s := &gateway.Sidecar{
		TCP:         !strings.HasPrefix(c.Sidecar, "unix://"),
		Roles:       slices.Sorted(maps.Keys(c.Roles)),
		DefaultRole: c.Presign.Role, DefaultExpires: c.Presign.Expires, CodeSign: c.SidecarCodeSign,
	}
	if c.Presign.Role == "" {
		s.Roles = append(s.Roles, "")
	}
	if c.SidecarTokenFile == "" {
		return s, nil
	}
	text, _, err := localfile.Read(c.SidecarTokenFile, localfile.Limit)
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

// serverConfig is the part of the configuration that needs a restart to change.
func (p *process) serverConfig(c *config.Config) gateway.ServerConfig {
	s := gateway.ServerConfig{
		Listen: c.Listen, Admin: c.Admin, AdminDebug: c.AdminDebug, Sidecar: c.Sidecar,
		Limits: configured.Limits(c.Limits), Streaming: len(c.Upstream) > 0,
		DrainDelay: c.Drain.Delay, DrainLimit: c.Drain.Timeout,
		Reload: func(context.Context) error { return p.reload() }, Dump: p.dump,
		Metrics: p.metrics, Log: p.log,
	}
	if p.traces.Tracer != nil {
		s.Spans = p.traces.Tracer
	}
	if c.TLS.CertFile != "" {
		s.TLS = &gateway.TLS{Setting: "tls", CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, ClientCAFile: c.TLS.ClientCAFile, RequireClientCert: c.Auth.Mode == "mtls"}
	}
	if p.jobs != nil {
		s.Control = p.jobs.listener(c)
		s.Store = p.jobs.health.State
	}
	if p.mqtt != nil && p.mqtt.server != nil {
		s.Services = append(s.Services, p.mqtt.listener(c))
	}
	return s
}
