package signing

import (
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobdoc/s3host"
)

// RoleRules say what may be signed with a role.
type RoleRules struct {
	// Allow and AllowUpload are S3 ARNs with wildcards, see jobdoc.NewPolicy. Empty, Allow
	// is every object for documents of the operator's own sources, and none for text that
	// strangers can influence; AllowUpload is none.
	Allow, AllowUpload []string
	Setting            string        // where they stand, "presign" or "roles.download", for errors
	MaxExpires         time.Duration // the longest lifetime that a sidecar call may ask for
}

// Limits bound the documents of every role.
type Limits struct {
	MaxDocument     int // bytes of a template, before filling
	MaxPlaceholders int
	MaxRendered     int // bytes of a document, after filling
}

// Permits say what each role may sign, and how documents are read for it. They are immutable.
type Permits struct {
	resolver *s3host.Resolver
	limits   Limits
	roles    map[string]permit
}

// permit is one role's.
type permit struct {
	policy *jobdoc.Policy
	listed bool // objects are
}

// NewPermits compiles the rules of roles, by their names, where S3's objects live as hosts says.
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

// Lists reports whether the objects are listed that the role may sign: only then may it sign text that strangers can
// influence.
func (p *Permits) Lists(role string) bool { return p.roles[role].listed }

// Options returns the rules by which documents are read that the role signs. Of a role that is not known everything is
// refused.
func (p *Permits) Options(role string) (jobdoc.Options, error) {
	known, ok := p.roles[role]
	if !ok {
		return jobdoc.Options{}, unknownRole(role)
	}
	return p.with(known.policy), nil
}

// Unsigned returns the rules by which documents are read that nobody signs: every object may stand in them, so that who
// reads them can say what is missing.
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
