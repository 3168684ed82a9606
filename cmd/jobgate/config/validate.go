package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// validator applies the rules across settings. Each rule is a method; all of them run, so that every fault is reported.
type validator struct {
	c        *Config
	origins  map[string]Origin
	faults   Faults
	warnings Faults
}

func (v *validator) validate(scope Scope) {
	v.roles()
	v.presign()
	v.codesign()
	if scope == Signing {
		return
	}
	v.listeners()
	v.tls()
	v.auth()
	v.upstreams()
	v.routes()
	v.signingScope()
	v.quantum()
	v.jobs()
	v.mqtt()
	v.limits()
	if v.c.Memory == "low" {
		v.warn("memory", "low has no effect: idle connections hold no buffers", "remove it")
	}
}

// set reports whether key was written anywhere.
func (v *validator) set(key string) bool {
	_, ok := v.origins[key]
	return ok
}

// origin returns where key was written, or the nearest mapping around it.
func (v *validator) origin(key string) Origin {
	for {
		if at, ok := v.origins[key]; ok {
			return at
		}
		if key == "" {
			return Origin{}
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
}

// fault records a fault of key, unless key or a key above it already has one.
func (v *validator) fault(key, problem, allowed, fix string) {
	for _, f := range v.faults {
		if rest, ok := strings.CutPrefix(key, f.Key); ok && f.Key != "" && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return
		}
	}
	v.faults = append(v.faults, Fault{Origin: v.origin(key), Key: key, Problem: problem, Allowed: allowed, Fix: fix})
}

func (v *validator) warn(key, problem, fix string) {
	v.warnings = append(v.warnings, Fault{Origin: v.origin(key), Key: key, Problem: problem, Fix: fix})
}

// role checks that name, the value of key, is one of roles. An empty name means the gateway's own credentials.
func (v *validator) role(key, name string) {
	if name == "" {
		return
	}
	if _, ok := v.c.Roles[name]; ok {
		return
	}
	names := v.roleNames()
	fix := strictyaml.DidYouMean(name, names)
	if fix == "" {
		fix = "add it under roles"
	}
	v.fault(key, fmt.Sprintf("%q is not one of roles", name), strictyaml.OneOf(names), fix)
}

func (v *validator) roleNames() []string { return slices.Sorted(maps.Keys(v.c.Roles)) }

// expires checks that a URL signed with the role can be valid as long as key says.
func (v *validator) expires(key, role string, expires time.Duration) {
	r, ok := v.c.Roles[role]
	if !ok {
		return
	}
	name := strictyaml.FormatDuration(expires)
	if expires > r.MaxExpires {
		v.fault(key, fmt.Sprintf("%q is longer than roles.%s.max_expires", name, role), "60s.."+strictyaml.FormatDuration(r.MaxExpires), "")
		return
	}
	if session := r.session(); expires > session {
		fix := fmt.Sprintf("raise roles.%s.session_duration (at most 12h) or ask for less: a URL ends with the session that signed it", role)
		if r.SourceRole != "" {
			fix = "STS ends chained sessions (source_role) after one hour, and a URL ends with the session that signed it"
		}
		v.fault(key, fmt.Sprintf("%q can never hold: sessions of role %q live %s", name, role, strictyaml.FormatDuration(session)), "60s.."+strictyaml.FormatDuration(session), fix)
	}
}

// session returns the longest duration that a session of r can have.
func (r Role) session() time.Duration {
	if r.SourceRole != "" {
		return min(r.SessionDuration, time.Hour)
	}
	return r.SessionDuration
}

// quantum checks that every URL is served with at least half of its validity left.
func (v *validator) quantum() {
	q := v.c.Presign.Quantum
	if q%time.Second != 0 {
		v.fault("presign.quantum", fmt.Sprintf("%q is not whole seconds", strictyaml.FormatDuration(q)), "", "SigV4's clock ticks in seconds")
	}
	check := func(key string, expires time.Duration) {
		if q > expires/2 {
			v.fault("presign.quantum", fmt.Sprintf("%q is more than half of %s (%s)", strictyaml.FormatDuration(q), key, strictyaml.FormatDuration(expires)),
				"1s.."+strictyaml.FormatDuration(expires/2), "a URL signed at the start of a quantum is served until its end")
		}
	}
	check("presign.expires", v.c.Presign.Expires)
	for i, r := range v.c.Routes {
		if r.Expires > 0 {
			check(fmt.Sprintf("routes[%d].expires", i), r.Expires)
		}
	}
	if v.c.Jobs.Enabled || v.c.Sidecar != "" {
		for _, name := range v.roleNames() {
			check("roles."+name+".max_expires", v.c.Roles[name].MaxExpires)
		}
	}
}

// limits checks the bounds against each other.
func (v *validator) limits() {
	l := v.c.Limits
	if l.MaxRendered < l.MaxDocument {
		v.fault("limits.max_rendered", fmt.Sprintf("%q is less than limits.max_document (%s)", l.MaxRendered, l.MaxDocument), "at least "+l.MaxDocument.String(), "")
	}
	v.role("cache.role", v.c.Cache.Role)
}
