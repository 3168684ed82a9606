package s3host

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"jobgate/presigner"
)

// Config says where S3 objects are, if not where their URLs say.
type Config struct {
	// Endpoints are S3-compatible servers that a placeholder may name, such as
	// AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9000". They use path style, and only they
	// may use http.
	Endpoints []string
	// Rewrite is presign.endpoint: where devices reach S3. If set, every URL points to
	// it, in path style, for any host in the placeholder. A placeholder may name it too.
	Rewrite string
	// DefaultRegion is the region of hosts that do not name one; "": us-east-1.
	DefaultRegion string
	// BucketRegions are the regions of buckets at such hosts, if not DefaultRegion.
	BucketRegions map[string]string
}

// Resolver recognizes S3's hosts and their regions. It is immutable except for a small
// cache of resolved hosts, and safe for concurrent use.
type Resolver struct {
	configured []*Endpoint
	rewrite    *Endpoint
	region     string
	regions    map[string]string
	global     map[string]*Endpoint // by region: what replaces the global endpoint
	resolved   table[resolved]      // by hash of the host
	versions   table[version]       // by hash of the version
	seed       maphash.Seed
}

// resolved is an endpoint with the host it was resolved from.
type resolved struct {
	https    bool
	host     string
	endpoint *Endpoint
}

// version is a version id, plain and escaped for a query.
type version struct{ plain, escaped string }

// Endpoint is a host that URLs can point to. It is immutable.
type Endpoint struct {
	Origin, Host string          // of the URL: "https://s3.us-east-1.amazonaws.com"
	Style        presigner.Style // of the URL: whether Bucket is in Host
	Region       string          // "": the bucket decides
	Bucket       string          // in the placeholder's host; "": it is in the path
	Account      string          // of the access point that Bucket is
	global       bool            // path style at the global endpoint; see Located
}

// AWS recognizes AWS's hosts only, with us-east-1 for the global endpoint.
var AWS = &Resolver{region: defaultRegion, seed: maphash.MakeSeed()}

const defaultRegion = "us-east-1"

// New returns a Resolver for c. It retains c's map.
func New(c Config) (*Resolver, error) {
	r := &Resolver{region: c.DefaultRegion, regions: c.BucketRegions, seed: maphash.MakeSeed()}
	if r.region == "" {
		r.region = defaultRegion
	}
	for _, raw := range c.Endpoints {
		e, err := parseEndpoint(raw, "endpoint")
		if err != nil {
			return nil, err
		}
		r.configured = append(r.configured, e)
	}
	if c.Rewrite != "" {
		e, err := parseEndpoint(c.Rewrite, "presign.endpoint")
		if err != nil {
			return nil, err
		}
		r.rewrite = e
		r.configured = append(r.configured, e)
	}
	for bucket, region := range c.BucketRegions {
		if why := PathBucket(bucket); why != "" {
			return nil, fmt.Errorf("cannot use presign.bucket_regions %q: the name %s", bucket, why)
		}
		if region == "" || strings.ContainsAny(region, "/ \t\r\n") {
			return nil, fmt.Errorf("cannot use presign.bucket_regions %q: %q is not a region", bucket, region)
		}
	}
	r.global = make(map[string]*Endpoint, 1+len(r.regions))
	r.setGlobal(r.region)
	for _, region := range r.regions {
		r.setGlobal(region)
	}
	return r, nil
}

// setGlobal sets the endpoint for URLs of the global endpoint whose bucket is in region.
func (r *Resolver) setGlobal(region string) {
	if host := regionalHost(region); host != "" && region != GlobalRegion && r.rewrite == nil {
		r.global[region] = &Endpoint{Origin: "https://" + host, Host: host, Style: presigner.PathStyle, Region: region}
	}
}

// Located returns the endpoint for an object in region: e, unless e is the global
// endpoint, which serves one region only.
func (r *Resolver) Located(e *Endpoint, region string) *Endpoint {
	if !e.global {
		return e
	}
	if at := r.global[region]; at != nil {
		return at
	}
	return e
}

func parseEndpoint(raw, setting string) (*Endpoint, error) {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" {
		return nil, fmt.Errorf("cannot use %s %q: it is not written http(s)://host[:port]", setting, withoutUser(raw))
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, fmt.Errorf("cannot use %s %q: only scheme, host and port are allowed", setting, withoutUser(raw))
	}
	host := trimPort(strings.ToLower(u.Host), u.Scheme == "https")
	return &Endpoint{Origin: u.Scheme + "://" + host, Host: host, Style: presigner.PathStyle}, nil
}

// withoutUser removes the user part of a URL, which may hold a password.
func withoutUser(raw string) string {
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		return "…" + raw[i:]
	}
	return raw
}

// trimPort removes the scheme's default port, which is not signed.
func trimPort(host string, https bool) string {
	if https {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// maxHost is the longest DNS name, and a port.
const maxHost = 253 + len(":65535")

// Endpoint returns the endpoint of a host in a placeholder's https or http URL. A host
// resolved before does not allocate.
func (r *Resolver) Endpoint(https bool, host []byte) (*Endpoint, error) {
	if len(host) > maxHost {
		return nil, fmt.Errorf("the host has %d characters, the limit is %d", len(host), maxHost)
	}
	var buffer [maxHost]byte
	name := buffer[:copy(buffer[:], host)]
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			name[i] = c | 0x20
		}
	}
	hash := maphash.Bytes(r.seed, name)
	places := r.resolved.places(hash)
	for i := range places {
		if known := places[i].Load(); known != nil && known.https == https && known.host == string(name) {
			return known.endpoint, nil
		}
	}
	e, err := r.resolve(string(name), https)
	if err != nil {
		return nil, err
	}
	r.resolved.put(hash, &resolved{https: https, host: string(name), endpoint: e})
	return e, nil
}

// resolve is Endpoint's slow path.
func (r *Resolver) resolve(name string, https bool) (*Endpoint, error) {
	host := trimPort(name, https)
	scheme := "http://"
	if https {
		scheme = "https://"
	}
	for _, e := range r.configured {
		if e.Origin == scheme+host {
			return r.rewritten(e), nil
		}
	}
	if i := strings.IndexFunc(host, notOfHost); i >= 0 {
		if isOwnServer(host) {
			return nil, fmt.Errorf("host %q is neither one of S3's nor a configured endpoint; if it is an S3 server of your own, set AWS_ENDPOINT_URL_S3 or presign.endpoint to %q", host, scheme+host)
		}
		return nil, fmt.Errorf("the host holds %q", host[i])
	}
	l, err := parseAWSHost(host)
	if err != nil {
		return nil, err
	}
	if !https {
		return nil, fmt.Errorf("http is for configured endpoints only; AWS's URLs are https")
	}
	e := &Endpoint{Origin: scheme + host, Host: host, Region: l.region, Bucket: l.bucket, Account: l.account, global: l.global && l.bucket == ""}
	if l.bucket != "" {
		if at := r.RegionOf(e, nil); l.global && at != GlobalRegion && regionalHost(at) != "" {
			e.Host = l.bucket + "." + regionalHost(at)
			e.Origin = scheme + e.Host
		}
		e.Style = presigner.HostStyle
		if l.account != "" && r.rewrite != nil {
			return nil, fmt.Errorf("access point %q has no bucket to ask presign.endpoint for", l.bucket)
		}
	}
	return r.rewritten(e), nil
}

// isOwnServer reports whether a host outside AWS's domains has a port, as self-hosted S3
// servers often do.
func isOwnServer(host string) bool {
	name, port, ok := cutLast(host, ':')
	ip, bracketed := strings.CutPrefix(name, "[")
	if bracketed {
		_, err := netip.ParseAddr(strings.TrimSuffix(ip, "]"))
		return ok && err == nil && isPort(port)
	}
	_, _, aws := cutSuffix(name)
	return ok && !aws && name != "" && strings.IndexFunc(name, notOfHost) < 0 && isPort(port)
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

func notOfHost(c rune) bool {
	return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.'
}

// Rewrites reports whether every URL points to presign.endpoint.
func (r *Resolver) Rewrites() bool { return r.rewrite != nil }

// rewritten returns e, or presign.endpoint's endpoint if that is set.
func (r *Resolver) rewritten(e *Endpoint) *Endpoint {
	if r.rewrite == nil {
		return e
	}
	at := *e
	at.Origin, at.Host, at.Style = r.rewrite.Origin, r.rewrite.Host, presigner.PathStyle
	return &at
}

// RegionOf returns the region to sign with for an object at e.
func (r *Resolver) RegionOf(e *Endpoint, bucket []byte) string {
	if e.Region != "" {
		return e.Region
	}
	region, ok := r.regions[e.Bucket]
	if e.Bucket == "" {
		region, ok = r.regions[string(bucket)]
	}
	if !ok {
		return r.region
	}
	return region
}

// EscapedVersion returns a version id escaped for a query. A recently used one does not
// allocate.
func (r *Resolver) EscapedVersion(plain []byte) string {
	if len(plain) == 0 {
		return ""
	}
	hash := maphash.Bytes(r.seed, plain)
	places := r.versions.places(hash)
	for i := range places {
		if known := places[i].Load(); known != nil && known.plain == string(plain) {
			return known.escaped
		}
	}
	v := version{plain: string(plain)}
	v.escaped = presigner.Object{VersionID: v.plain}.Target().Version
	r.versions.put(hash, &v)
	return v.escaped
}
