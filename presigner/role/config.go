package role

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// STS's bounds on DurationSeconds, and the duration that every role allows, the maximum for a chained one.
const (
	MinSession      = 15 * time.Minute
	MaxSession      = 12 * time.Hour
	FallbackSession = time.Hour
)

// STS's limits, in bytes.
const (
	maxARN        = 2048
	maxPolicy     = 2048
	minExternalID = 2
	maxExternalID = 1224
)

// Config describes one role; it is one entry of the setting roles.
type Config struct {
	// Name is the role's name in routes and jobs; "" is the gateway's own credentials,
	// which have no ARN and none of the AssumeRole settings.
	Name string
	// ARN is the role's ARN.
	ARN string
	// ExternalID, SessionName and SessionPolicy are passed to AssumeRole unchanged;
	// SessionName defaults to "jobgate".
	ExternalID, SessionName, SessionPolicy string
	// SessionDuration is the requested session, 15m … 12h, default 12h. Once STS
	// refuses it, [FallbackSession] is requested.
	SessionDuration time.Duration
	// SourceRole names the role whose session assumes this one; "" is the gateway's own
	// credentials.
	SourceRole string
	// Expires is the longest lifetime of the role's URLs: sessions are renewed before
	// less than this remains.
	Expires time.Duration
	// MaxExpires is the longest lifetime that [Role.Lifetime] grants; zero: no limit.
	MaxExpires time.Duration
}

// IAM's and STS's own rules: "AssumeRole" and "IAM and AWS STS quotas" in the AWS documents.
var (
	arnPattern         = regexp.MustCompile(`^arn:[a-z0-9-]+:iam::[0-9]{12}:role/[\x21-\x7e]+$`)
	sessionNamePattern = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{2,64}$`)
	externalIDPattern  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@:/-]+$`)
)

// withDefaults returns c with its defaults filled in.
func (c Config) withDefaults() Config {
	if c.Name == "" {
		return c
	}
	if c.SessionName == "" {
		c.SessionName = "jobgate"
	}
	if c.SessionDuration == 0 {
		c.SessionDuration = MaxSession
	}
	return c
}

// Validate checks one role by itself; its errors name the setting.
func (c Config) Validate() error {
	if c.Expires < 0 || c.MaxExpires < 0 {
		return c.fault("expires", min(c.Expires, c.MaxExpires), "it is negative")
	}
	if c.Name == "" {
		own := Config{Expires: c.Expires, MaxExpires: c.MaxExpires}
		if c != own {
			return fmt.Errorf("cannot use role %q: it is the gateway's own credentials and assumes nothing; give it a name under roles", "")
		}
		return nil
	}
	c = c.withDefaults()
	switch {
	case len(c.ARN) > maxARN || !arnPattern.MatchString(c.ARN):
		return c.fault("arn", c.ARN, "it is no role ARN, such as arn:aws:iam::123456789012:role/download")
	case !sessionNamePattern.MatchString(c.SessionName):
		return c.fault("session_name", c.SessionName, "it is not 2 to 64 of A-Z a-z 0-9 _ + = , . @ -")
	case c.ExternalID != "" && (len(c.ExternalID) < minExternalID || len(c.ExternalID) > maxExternalID || !externalIDPattern.MatchString(c.ExternalID)):
		return c.fault("external_id", c.ExternalID, "it is not 2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -")
	case c.SessionDuration < MinSession || c.SessionDuration > MaxSession:
		return c.fault("session_duration", c.SessionDuration, "it is not within 15m … 12h")
	case len(c.SessionPolicy) > maxPolicy:
		return c.fault("session_policy", len(c.SessionPolicy), "it has more than 2048 bytes")
	case c.SessionPolicy != "" && !json.Valid([]byte(c.SessionPolicy)):
		return c.fault("session_policy", c.SessionPolicy, "it is not JSON")
	}
	return nil
}

func (c Config) fault(setting string, value any, why string) error {
	return fmt.Errorf("cannot use role %q: %s %q: %s; see roles.%s.%s", c.Name, setting, fmt.Sprint(value), why, c.Name, setting)
}

// identity is the part of a Config that its sessions depend on.
func (c Config) identity() Config {
	c = c.withDefaults()
	c.Expires, c.MaxExpires = 0, 0
	return c
}

// order sorts the roles so that each comes after its source. The gateway's own credentials
// come first, and are added if a role needs them. It returns an error if there is no order.
func order(configs []Config) ([]Config, error) {
	o := orderer{byName: make(map[string]Config, len(configs)+1)}
	for _, c := range configs {
		if err := c.Validate(); err != nil {
			return nil, err
		}
		if _, ok := o.byName[c.Name]; ok {
			return nil, fmt.Errorf("cannot use role %q: the name is taken twice; see roles", c.Name)
		}
		o.byName[c.Name] = c.withDefaults()
	}
	if _, ok := o.byName[""]; !ok && len(configs) > 0 {
		o.byName[""] = Config{}
	}
	for _, name := range slices.Sorted(maps.Keys(o.byName)) {
		if err := o.place(name, nil); err != nil {
			return nil, err
		}
	}
	return o.sorted, nil
}

// orderer sorts roles by their sources, depth first.
type orderer struct {
	byName map[string]Config
	sorted []Config
}

// place puts the role into sorted, after its sources; path leads to it from a role that
// depends on it.
func (o *orderer) place(name string, path []string) error {
	if slices.Contains(path, name) {
		return fmt.Errorf("cannot chain role %q: its sources form a circle, %s; see roles.%s.source_role",
			path[0], strings.Join(append(path, name), " from "), path[0])
	}
	if slices.ContainsFunc(o.sorted, func(c Config) bool { return c.Name == name }) {
		return nil
	}
	c, ok := o.byName[name]
	if !ok {
		from := path[len(path)-1]
		return fmt.Errorf("cannot chain role %q: source_role %q is not listed; see roles.%s.source_role", from, name, from)
	}
	if name != "" {
		if err := o.place(c.SourceRole, append(path, name)); err != nil {
			return err
		}
	}
	o.sorted = append(o.sorted, c)
	return nil
}
