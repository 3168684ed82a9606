// Package configured translates the configuration into the types of each package:
//
//	configured.Routes(c)  gateway's routes    configured.Roles(c, …)  role's sessions
//	configured.Auth(c, …) devices' names      configured.Rules(c)     what each role may sign
package configured

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/valyala/fasthttp"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/signing"
	"jobgate/gateway/target"
	"jobgate/presigner/role"
)

// jobsExpires is the maximum validity of a job's URLs.
const jobsExpires = jobs.MaxExpiresInSec * time.Second

// ownMaxExpires bounds the validity that callers may request for URLs signed with the gateway's own credentials, as
// max_expires does for roles. The configuration may allow more.
const ownMaxExpires = 12 * time.Hour

// RolesInUse returns the roles that sign, each with the longest default validity of its URLs, and the source roles of their
// chains. An unused role costs no session.
func RolesInUse(c *config.Config) map[string]time.Duration {
	used := map[string]time.Duration{}
	use := func(name string, expires time.Duration) { used[name] = max(used[name], expires) }
	for _, r := range c.Routes {
		use(cmp.Or(r.Role, c.Presign.Role), cmp.Or(r.Expires, c.Presign.Expires))
	}
	if c.Sidecar != "" {
		use(c.Presign.Role, c.Presign.Expires)
	}
	for name := range c.Roles {
		if c.Sidecar != "" {
			use(name, min(c.Presign.Expires, c.Roles[name].MaxExpires))
		}
		if c.Jobs.Enabled {
			use(name, min(jobsExpires, c.Roles[name].MaxExpires))
		}
	}
	if c.Cache.Role != "" {
		use(c.Cache.Role, 0)
	}
	for _, p := range c.CodeSign.Profiles {
		if p.Role != "" {
			use(p.Role, 0)
		}
	}
	for _, name := range slices.Collect(maps.Keys(used)) {
		for next := c.Roles[name].SourceRole; next != ""; next = c.Roles[next].SourceRole {
			use(next, 0)
		}
	}
	return used
}

// Roles returns the configurations of the roles of used.
func Roles(c *config.Config, used map[string]time.Duration) []role.Config {
	var all []role.Config
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if name == "" {
			all = append(all, role.Config{Expires: used[name], MaxExpires: max(ownMaxExpires, used[name])})
			continue
		}
		r := c.Roles[name]
		all = append(all, role.Config{
			Name: name, ARN: r.ARN, ExternalID: r.ExternalID, SessionName: r.SessionName, SessionPolicy: r.SessionPolicy,
			SessionDuration: r.SessionDuration, SourceRole: r.SourceRole, Expires: used[name], MaxExpires: r.MaxExpires,
		})
	}
	return all
}

// ShortSession returns presign.on_short_session.
func ShortSession(c *config.Config) role.Mode {
	switch c.Presign.OnShortSession {
	case "refuse":
		return role.Refuse
	case "ignore":
		return role.Ignore
	}
	return role.Clamp
}

// Rules returns what each role may sign; "" is the gateway's own credentials. A role's lists replace those of presign.
func Rules(c *config.Config) map[string]signing.RoleRules {
	own := signing.RoleRules{Allow: c.Presign.Allow, AllowUpload: c.Presign.AllowUpload, Setting: "presign", MaxExpires: max(ownMaxExpires, c.Presign.Expires)}
	all := map[string]signing.RoleRules{"": own}
	for name, r := range c.Roles {
		rule := own
		rule.MaxExpires = r.MaxExpires
		if r.AllowUpload != nil { // an empty list allows no uploads
			rule.AllowUpload, rule.Setting = r.AllowUpload, "roles."+name
		}
		if len(r.Allow) > 0 {
			rule.Allow, rule.Setting = r.Allow, "roles."+name
		}
		all[name] = rule
	}
	return all
}

// Hosts returns the hosts of S3 objects, by the standard AWS settings and those of presign.
func Hosts(c *config.Config, a aws.Config, s3 string) s3host.Config {
	h := s3host.Config{Rewrite: c.Presign.Endpoint, DefaultRegion: a.Region, BucketRegions: c.Presign.BucketRegions}
	if s3 != "" {
		h.Endpoints = []string{s3}
	}
	return h
}

// Auth returns how devices are authenticated. v checks signed requests.
func Auth(c *config.Config, v *access.Verifier) gateway.Auth {
	a := gateway.Auth{Header: c.Auth.Header, TrustedProxies: c.Auth.TrustedProxies}
	switch c.Auth.Mode {
	case "mtls":
		a.Mode = gateway.AuthMTLS
	case "header":
		a.Mode = gateway.AuthHeader
	case "sigv4":
		a.Mode, a.Verify = gateway.AuthSigV4, signedBy(v)
	default:
		a.Mode = gateway.AuthNone
	}
	a.ThingName = CertificateName(c.Auth.ThingName)
	return a
}

// CertificateName returns the value of auth.thing_name or mqtt.auth.thing_name.
func CertificateName(setting string) gateway.CertificateName {
	switch setting {
	case "san_dns":
		return gateway.SANDNS
	case "san_uri":
		return gateway.SANURI
	}
	return gateway.SubjectCN
}

// Limits returns the limits of requests. Writing a response has the same time limit as reading a request.
func Limits(l config.Limits) gateway.Limits {
	return gateway.Limits{
		MaxDocument: int(l.MaxDocument), MaxPlaceholders: l.MaxPlaceholders, MaxRendered: int(l.MaxRendered),
		MaxRequestHeader: int(l.MaxRequestHeader), MaxBody: int(l.MaxBody), MaxConnections: l.MaxConnections, MaxInFlight: l.MaxInFlight,
		ReadTimeout: l.ReadTimeout, WriteTimeout: l.ReadTimeout, IdleTimeout: l.IdleTimeout, UpstreamTimeout: l.UpstreamTimeout,
	}
}

// Routes returns the routes, each with its role and the validity of its URLs.
func Routes(c *config.Config) []gateway.Route {
	all := make([]gateway.Route, len(c.Routes))
	for i, r := range c.Routes {
		all[i] = gateway.Route{
			Path: r.Path, Document: r.Document, Fill: r.Fill, PassUnfilled: r.Unfilled == "pass", Strict: r.Strict, ContentType: r.ContentType, Parameters: r.Parameters,
			CodeSign: r.CodeSign, Role: cmp.Or(r.Role, c.Presign.Role), Expires: cmp.Or(r.Expires, c.Presign.Expires),
		}
	}
	return all
}

// Documents returns the settings of the template cache.
func Documents(c *config.Config) gateway.DocumentsConfig {
	return gateway.DocumentsConfig{
		MaxBytes: int64(c.Cache.MaxBytes), Fresh: c.Cache.Fresh, StaleIfError: c.Cache.StaleIfError, Negative: c.Cache.Negative,
		MaxLoads: c.Limits.MaxSourceLoads, LoadTimeout: c.Limits.UpstreamTimeout,
	}
}

// signedBy returns a function that identifies the signer of a device's request (auth.mode: sigv4).
func signedBy(v *access.Verifier) func(*fasthttp.RequestCtx, *target.Target, time.Time) (gateway.Caller, error) {
	return func(ctx *fasthttp.RequestCtx, asked *target.Target, now time.Time) (gateway.Caller, error) {
		caller, e := v.Identify(ctx, asked, now)
		if e != nil {
			return nil, e
		}
		return caller, nil
	}
}
