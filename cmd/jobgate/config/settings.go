package config

import (
	"net/netip"
	"time"
)

// Config is the whole configuration. Load validates it. It does not change afterwards, so it is safe for concurrent
// reading. The fields' comments appear in the table of SETTINGS.md.
type Config struct {
	// Address of the devices' listener; empty turns it off.
	Listen string `yaml:"listen" default:":8080" restart:"yes"`
	// Address of the operators' listener: /metrics, /healthz, /readyz; empty turns it off.
	Admin string `yaml:"admin" default:"127.0.0.1:9090" restart:"yes"`
	// Serves /-/reload, /config and /debug/pprof to peers that are not on loopback, too.
	AdminDebug bool `yaml:"admin_debug" default:"false" restart:"yes"`
	// Address of `POST /render`, or unix:///run/jobgate.sock (mode 0660); off unless set.
	Sidecar string `yaml:"sidecar" restart:"yes"`
	// File with the bearer token that sidecar callers must send; required before the sidecar binds beyond loopback.
	SidecarTokenFile string `yaml:"sidecar_token_file" empty:"refused"`
	// Allows code-sign placeholders in documents of sidecar callers; they get signatures already made for jobs and templates, never new ones.
	SidecarCodeSign bool `yaml:"sidecar_codesign" default:"false"`
	// Address of the IoT Jobs control plane; used only with jobs.enabled; empty turns it off.
	Control string `yaml:"control" default:"127.0.0.1:8082" restart:"yes"`
	// TLS of the control plane's listener.
	ControlTLS ControlTLS `yaml:"control_tls" empty:"refused" restart:"yes"`
	// Serves the operators' web page on `control`, under /console/; `auto`: only if control is on loopback.
	Console string `yaml:"console" default:"auto" enum:"auto|true|false" restart:"yes"`
	// TLS of the devices' listener.
	TLS TLS `yaml:"tls" empty:"refused" restart:"yes"`
	// How a device proves its name.
	Auth Auth `yaml:"auth" empty:"refused"`
	// Base URLs for requests that no route matches, forwarded unchanged; several share the load.
	Upstream []string `yaml:"upstream"`
	// What devices may ask for; the first route that matches answers.
	Routes []Route `yaml:"routes"`
	// Every role that jobgate may assume, by name.
	Roles map[string]Role `yaml:"roles"`
	// How URLs are signed.
	Presign Presign `yaml:"presign"`
	// How code files are signed.
	CodeSign CodeSign `yaml:"codesign" empty:"refused"`
	// The embedded IoT Jobs service.
	Jobs Jobs `yaml:"jobs" restart:"yes"`
	// Devices that speak MQTT with the IoT Jobs service.
	MQTT MQTT `yaml:"mqtt" empty:"refused" restart:"yes"`
	// The template cache.
	Cache Cache `yaml:"cache"`
	// Bounds on a request, a document or a listener.
	Limits Limits `yaml:"limits"`
	// Retired: idle connections hold no buffers. `low` has no effect and causes a warning.
	Memory string `yaml:"memory" default:"normal" enum:"normal|low"`
	// Shutdown.
	Drain Drain `yaml:"drain" restart:"yes"`
	// Logs, to standard error.
	Log Log `yaml:"log"`
}

// TLS names the files of the devices' listener. They are read again when they change.
type TLS struct {
	// Certificate chain in PEM; turns TLS on for `listen`.
	CertFile string `yaml:"cert_file" empty:"refused"`
	// Private key in PEM.
	KeyFile string `yaml:"key_file" empty:"refused"`
	// Authorities that sign the devices' certificates, in PEM; `auth.mode: mtls` needs it.
	ClientCAFile string `yaml:"client_ca_file" empty:"refused"`
}

// ControlTLS names the files of the control plane's listener. They are read again when they change.
type ControlTLS struct {
	// Certificate chain in PEM; turns TLS on for `control`.
	CertFile string `yaml:"cert_file" empty:"refused"`
	// Private key in PEM.
	KeyFile string `yaml:"key_file" empty:"refused"`
	// Authorities in PEM; if set, operators must present a certificate from one of them, besides signing every request.
	ClientCAFile string `yaml:"client_ca_file" empty:"refused"`
}

// Auth says who a device is. Its name must equal the path's {thingName}, else 403.
type Auth struct {
	// `none` is the default when `listen` is on loopback; elsewhere the mode must be set explicitly.
	Mode string `yaml:"mode" enum:"mtls|sigv4|header|none"`
	// With mtls: where the certificate holds the thing's name.
	ThingName string `yaml:"thing_name" default:"subject_cn" enum:"subject_cn|san_dns|san_uri"`
	// With header: the header a TLS-terminating balancer sets; stripped from all other peers.
	Header string `yaml:"header" default:"X-Thing-Name"`
	// Peers whose `auth.header` and X-Forwarded-For are trusted, as CIDRs or addresses; required with header.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
}

// Route answers one path pattern, from a document or by filling the upstream's answer.
type Route struct {
	// Path pattern; a variable is a whole segment: `/things/{thingName}/jobs/{jobId}/document`.
	Path string `yaml:"path"`
	// Template to serve: `file:///…`, `s3://bucket/key`, `http(s)://…`; its path and query may contain the path's variables.
	Document string `yaml:"document"`
	// Proxies to upstream and fills the placeholders of the JSON answer in flight.
	Fill bool `yaml:"fill" default:"false"`
	// For an answer that `fill` cannot examine (another encoding or charset, too large, partial content, a placeholder outside JSON): `refuse` answers 502, `pass` forwards it unchanged.
	Unfilled string `yaml:"unfilled" default:"refuse" enum:"refuse|pass"`
	// With fill: allows code-sign placeholders in the upstream's answers; they get signatures already made for jobs and templates, never new ones.
	CodeSign bool `yaml:"codesign" default:"false"`
	// Role that signs, a name under `roles`; default: `presign.role`.
	Role string `yaml:"role" empty:"refused"`
	// How long a URL is valid; default: `presign.expires`.
	Expires time.Duration `yaml:"expires" min:"60s" max:"7d"`
	// Values of `${aws:iot:parameter:…}`.
	Parameters map[string]string `yaml:"parameters"`
	// Refuses what AWS refuses, with AWS's messages: mainly local placeholders in the key of a download.
	Strict bool `yaml:"strict" default:"false"`
	// Content-Type of the answer; default: the source's, or application/json if it has none.
	ContentType string `yaml:"content_type"`
}

// Role is one role jobgate may assume. A job or a sidecar call that names a role not listed is refused.
type Role struct {
	// ARN of the role.
	ARN string `yaml:"arn"`
	// External id that the role's trust policy asks for.
	ExternalID string `yaml:"external_id" secret:"true"`
	// Session name, as CloudTrail shows it.
	SessionName string `yaml:"session_name" default:"jobgate"`
	// Session duration requested from STS; at most 1h with source_role. If STS refuses it, 1h is requested from then on.
	SessionDuration time.Duration `yaml:"session_duration" default:"12h" min:"15m" max:"12h"`
	// Session policy, JSON, that narrows what the session may do.
	SessionPolicy string `yaml:"session_policy" empty:"refused"`
	// Role, by name, whose session assumes this one (role chaining).
	SourceRole string `yaml:"source_role"`
	// Maximum validity of a URL signed with this role.
	MaxExpires time.Duration `yaml:"max_expires" default:"12h" min:"60s" max:"7d"`
	// Objects it may sign for download, as S3 ARNs with `*` and `?`; replaces `presign.allow`.
	Allow []string `yaml:"allow" empty:"refused"`
	// Objects it may sign for upload (PUT); replaces `presign.allow_upload`.
	AllowUpload []string `yaml:"allow_upload"`
}

// Presign says how URLs are signed.
type Presign struct {
	// Role that signs by default, a name under `roles`; empty: the gateway's own credentials.
	Role string `yaml:"role"`
	// How long a URL is valid.
	Expires time.Duration `yaml:"expires" default:"15m" min:"60s" max:"7d"`
	// URLs signed within one quantum are identical; at most half of every `expires`.
	Quantum time.Duration `yaml:"quantum" default:"1s" min:"1s" max:"12h"`
	// What happens when the session expires before the URL would: the URL expires with it, the answer is 503, or nothing.
	OnShortSession string `yaml:"on_short_session" default:"clamp" enum:"clamp|refuse|ignore"`
	// Where devices reach S3, if not at the placeholder's host (MinIO, a public name); path style.
	Endpoint string `yaml:"endpoint"`
	// Region by bucket, for `https://s3.amazonaws.com/…` of buckets that are not in the default region.
	BucketRegions map[string]string `yaml:"bucket_regions"`
	// Objects that may be signed for download, as S3 ARNs with `*` and `?`; required (here or in the role) with `fill`, `sidecar` or `jobs`.
	Allow []string `yaml:"allow" empty:"refused"`
	// Objects that may be signed for upload (PUT); nothing unless listed.
	AllowUpload []string `yaml:"allow_upload"`
	// Warns and counts when a URL is longer, for devices with small buffers (FreeRTOS: 1500); 0: never.
	MaxURLBytes int `yaml:"max_url_bytes" default:"0" min:"0" max:"65536"`
}
