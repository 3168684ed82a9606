package signing

import (
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
)

// RoleRules say what may be signed with a role.
type RoleRules struct {
	// Allow and AllowUpload are S3 ARNs with wildcards, see jobdoc.NewPolicy. An empty Allow
	// permits every object in documents of the operator's sources, and none in untrusted
	// text; an empty AllowUpload permits none.
	Allow, AllowUpload []string
	Setting            string        // the setting that lists them, "presign" or "roles.download", for errors
	MaxExpires         time.Duration // the longest lifetime that a sidecar call may ask for
}

// Limits bound the documents of every role.
type Limits struct {
	MaxDocument     int // bytes of a template, before filling
	MaxPlaceholders int
	MaxRendered     int // bytes of a document, after filling
}

// Permits hold what each role may sign, and how its documents are parsed. They are immutable.
type Permits struct {
	resolver *s3host.Resolver
	limits   Limits
	roles    map[string]permit
}

// permit is one role's.
type permit struct {
	policy *jobdoc.Policy
	listed bool // there is a list of objects
}

// NewPermits compiles the rules of roles, by name; hosts lists S3's hosts.
func NewPermits(hosts s3host.Config, rules map[string]RoleRules, limits Limits) (*Permits, error) {
	resolver, err := s3host.New(hosts)
	if err != nil {
		return nil, err
	}
	p := &Permits{resolver: resolver, limits: limits, roles: make(map[string]permit, len(rules))}
	for name, r := range rules {
		policy, err := jobdoc.NewPolicy(r.Allow, r.AllowUpload, r.Setting)
		if err != nil {
			return nil, err
		}
		p.roles[name] = permit{policy, len(r.Allow) > 0}
	}
	return p, nil
}

// Lists reports whether there is a list of the objects that the role may sign. Without one it must not sign untrusted text.
func (p *Permits) Lists(role string) bool { return p.roles[role].listed }

// Options returns the parsing rules for documents that the role signs. An unknown role may sign nothing.
func (p *Permits) Options(role string) (jobdoc.Options, error) {
	known, ok := p.roles[role]
	if !ok {
		return jobdoc.Options{}, unknownRole(role)
	}
	return p.with(known.policy), nil
}

// Unsigned returns the parsing rules for documents without a role. They allow every object, so that the caller can report
// the missing role itself.
func (p *Permits) Unsigned() (jobdoc.Options, error) {
	policy, err := jobdoc.NewPolicy([]string{"*"}, []string{"*"}, "presign")
	return p.with(policy), err
}

func (p *Permits) with(policy *jobdoc.Policy) jobdoc.Options {
	return jobdoc.Options{
		Resolver: p.resolver, Policy: policy,
		MaxDocument: p.limits.MaxDocument, MaxPlaceholders: p.limits.MaxPlaceholders, MaxRendered: p.limits.MaxRendered,
	}
}
