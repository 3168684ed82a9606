package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobgate/cmd/jobgate/config/strictyaml"
	"jobgate/gateway/jobdoc"
)

// The syntax that IAM, STS and S3 accept; https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html.
var (
	roleNamePattern     = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	roleARNPattern      = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	externalIDPattern   = regexp.MustCompile(`^[\w+=,.@:/-]+$`)
	sessionNamePattern  = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	accountPattern      = regexp.MustCompile(`^[0-9]{12}$`)
	regionPattern       = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]+)+$`)
	bucketPattern       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$`)
	headerPattern       = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	hostNamePattern     = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$`)
	numericHost         = regexp.MustCompile(`(^|\.)(0[xX][0-9A-Fa-f]*|[0-9]+)$`) // resolvers treat such a host as an IPv4 address, well-formed or not
	endpointHostPattern = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]{1,5})?$`)
)

// Limits of STS, in characters.
const (
	maxSessionPolicy = 2048
	maxExternalID    = 1224
)

// roles checks each role, and that no chain is circular.
func (v *validator) roles() {
	for _, name := range v.roleNames() {
		r, key := v.c.Roles[name], "roles."+name
		if !roleNamePattern.MatchString(name) {
			v.fault(key, fmt.Sprintf("%q is not a role's name", name), "1 to 64 of A-Z a-z 0-9 _ . -", "")
		}
		if r.ARN == "" {
			v.fault(key+".arn", "is missing", "", "write arn: arn:aws:iam::ACCOUNT:role/NAME")
		} else if !roleARNPattern.MatchString(r.ARN) || len(r.ARN) > 2048 {
			v.fault(key+".arn", fmt.Sprintf("%q is not a role's ARN", r.ARN), "arn:aws:iam::ACCOUNT:role/NAME", "")
		}
		if id := r.ExternalID; id != "" && (len(id) < 2 || len(id) > maxExternalID || !externalIDPattern.MatchString(id)) {
			v.fault(key+".external_id", "is not an external id", "2 to 1224 of A-Z a-z 0-9 _ + = , . @ : / -", "")
		}
		if !sessionNamePattern.MatchString(r.SessionName) {
			v.fault(key+".session_name", fmt.Sprintf("%q is not a session name", r.SessionName), "2 to 64 of A-Z a-z 0-9 _ + = , . @ -", "")
		}
		if p := r.SessionPolicy; p != "" && (!json.Valid([]byte(p)) || len(p) > maxSessionPolicy) {
			v.fault(key+".session_policy", fmt.Sprintf("is not a JSON policy of at most %d characters", maxSessionPolicy), "", "")
		}
		if r.SourceRole != "" && r.SessionDuration > time.Hour && v.set(key+".session_duration") {
			v.fault(key+".session_duration", fmt.Sprintf("%q is not possible with source_role", strictyaml.FormatDuration(r.SessionDuration)), "15m..1h", "STS ends chained sessions after one hour")
		}
		v.role(key+".source_role", r.SourceRole)
		v.chain(name)
		v.allow(key+".allow", r.Allow)
		v.allow(key+".allow_upload", r.AllowUpload)
	}
}

// chain checks that the chain of source_role from name ends. A cycle is reported once, at its first name.
func (v *validator) chain(name string) {
	path := []string{name}
	for next := v.c.Roles[name].SourceRole; next != ""; next = v.c.Roles[next].SourceRole {
		if next == name {
			if slices.Min(path) == name {
				v.fault("roles."+name+".source_role", fmt.Sprintf("is circular: %s", strings.Join(append(path, name), " -> ")), "", "one of them must start from the gateway's own credentials")
			}
			return
		}
		if slices.Contains(path, next) {
			return
		}
		path = append(path, next)
	}
}

// allow checks S3 object patterns one by one, with the package that uses them.
func (v *validator) allow(key string, patterns []string) {
	for i, p := range patterns {
		if _, err := jobdoc.NewPolicy([]string{p}, nil, "presign"); err != nil {
			why := strings.TrimPrefix(err.Error(), fmt.Sprintf("cannot use presign.allow %q: ", p))
			v.fault(fmt.Sprintf("%s[%d]", key, i), fmt.Sprintf("%q: %s", p, why), "", "")
		}
	}
}

// presign checks the settings of presign.
func (v *validator) presign() {
	p := v.c.Presign
	v.role("presign.role", p.Role)
	v.expires("presign.expires", p.Role, p.Expires)
	v.allow("presign.allow", p.Allow)
	v.allow("presign.allow_upload", p.AllowUpload)
	if p.Endpoint != "" {
		v.baseURL("presign.endpoint", p.Endpoint)
	}
	for bucket, region := range p.BucketRegions {
		key := "presign.bucket_regions." + bucket
		if !bucketPattern.MatchString(bucket) {
			v.fault(key, fmt.Sprintf("%q is not a bucket", bucket), "", "write bucket: region")
		}
		if !regionPattern.MatchString(region) {
			v.fault(key, fmt.Sprintf("%q is not a region", region), "a name like eu-west-1", "")
		}
	}
}

// baseURL checks that text consists of a scheme and a host only.
func (v *validator) baseURL(key, text string) bool {
	problem, fix := baseURLProblem(text)
	if problem != "" {
		v.fault(key, problem, wantBaseURL, fix)
	}
	return problem == ""
}

const wantBaseURL = "http://host:port or https://host:port"

// CheckBaseURL checks a base URL that comes from another program's setting, by the rules of presign.endpoint. The error
// names the setting and contains no password.
func CheckBaseURL(setting, text string) error {
	if problem, fix := baseURLProblem(text); problem != "" {
		return Fault{Key: setting, Problem: problem, Allowed: wantBaseURL, Fix: fix}
	}
	return nil
}

// baseURLProblem says why text is not a scheme and a host only; "" if it is.
func baseURLProblem(text string) (problem, fix string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Sprintf("%q is not a base URL", redactURL(text)), ""
	case u.User != nil:
		return "carries a user name or password", "leave it out: this URL is logged"
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Sprintf("%q has a path or query", redactURL(text)), "the path comes from the request"
	case hostProblem(u) != "":
		return fmt.Sprintf("%q %s", redactURL(text), hostProblem(u)), ""
	}
	return "", ""
}

// hostProblem says why clients would not send u's host as written; "" if they would. If a client normalizes the host (RFC
// 3986 §6.2.3, IDNA), the signature does not verify, because it covers the host as written.
func hostProblem(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	switch n, err := strconv.ParseUint(port, 10, 16); {
	case strings.HasSuffix(u.Host, ":"):
		return "has an empty port"
	case port != "" && (err != nil || n == 0 || port[0] == '0'):
		return fmt.Sprintf("has the port %q, which is not 1..65535 without leading zeros", port)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return ""
	}
	if strings.HasPrefix(u.Host, "[") {
		return "has no IPv6 address in its brackets"
	}
	if !hostNamePattern.MatchString(host) || len(host) > 253 || numericHost.MatchString(host) {
		return "has a host that is not a DNS name in ASCII (write xn--… for other letters) or an IP address"
	}
	return ""
}

// signingScope checks that untrusted input is signed only within an allow-list.
func (v *validator) signingScope() {
	c := v.c
	need := func(key, why, role string) {
		if len(c.Presign.Allow) > 0 || len(c.Roles[role].Allow) > 0 {
			return
		}
		where := "presign.allow"
		if role != "" {
			where = "roles." + role + ".allow or presign.allow"
		}
		v.fault(key, why+", and no list says which objects may be signed", "", `set `+where+`, for instance ["arn:aws:s3:::firmware/*"]`)
	}
	for i, r := range c.Routes {
		if role := or(r.Role, c.Presign.Role); r.Fill {
			need(fmt.Sprintf("routes[%d].fill", i), "fills what the upstream answers", role)
		}
	}
	if c.Sidecar != "" {
		need("sidecar", "signs what its callers send", c.Presign.Role)
		for _, name := range v.roleNames() {
			need("sidecar", "callers may name role "+fmt.Sprintf("%q", name), name)
		}
	}
	if c.Jobs.Enabled {
		for _, name := range v.roleNames() {
			need("jobs.enabled", "jobs may name role "+fmt.Sprintf("%q", name), name)
		}
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
