package config

import "time"

// Jobs is the embedded IoT Jobs service.
type Jobs struct {
	// Runs the service: the data plane on `listen`, the control plane on `control`.
	Enabled bool `yaml:"enabled" default:"false"`
	// Database: a file for this process only, or `postgres://user@host/database` that any number of gateways share. The URL holds no password.
	Store string `yaml:"store" default:"./jobgate.db"`
	// File with the password of a shared database; default: libpq's environment and files (PGPASSWORD, PGPASSFILE, PGSERVICE).
	StorePasswordFile string `yaml:"store_password_file" empty:"refused"`
	// Connections of this gateway to a shared database; 0: 10.
	StoreConnections int `yaml:"store_connections" default:"0" min:"0" max:"1000"`
	// Time limit of a call to a shared database.
	StoreTimeout time.Duration `yaml:"store_timeout" default:"3s" min:"100ms" max:"1m"`
	// Migrates the schema of a shared database to this program's version at the start; if false, run `jobgate store migrate` (`serve --no-migrate`).
	StoreMigrate bool `yaml:"store_migrate" default:"true"`
	// Jobs that ended longer ago are deleted, with their executions; 0: never. A job whose executions still run is kept.
	Retention time.Duration `yaml:"retention" default:"0s" min:"0s" max:"3650d"`
	// File for operators' changes, a JSON object a line, in addition to the log; reopened on reload.
	AuditFile string `yaml:"audit_file" empty:"refused"`
	// Region in ARNs of jobs.
	Region string `yaml:"region" default:"us-east-1"`
	// Account in ARNs of jobs; twelve digits.
	Account string `yaml:"account" default:"000000000000"`
	// Host in DescribeEndpoint's answer; default: the host of `listen`, or if that has none, the host that the operator called.
	DataEndpoint string `yaml:"data_endpoint"`
	// File with the access keys that may call the control plane and, with `auth.mode: sigv4`, the data plane; required before `control` binds beyond loopback. Without it, a key is generated and printed once.
	AccessKeysFile string `yaml:"access_keys_file" empty:"refused"`
}

// Cache is the template cache.
type Cache struct {
	// Memory limit for templates and their renderings.
	MaxBytes Size `yaml:"max_bytes" default:"256MiB" min:"1MiB" max:"1TiB"`
	// How long a template is served without asking its source.
	Fresh time.Duration `yaml:"fresh" default:"30s" min:"0s" max:"30d"`
	// How much longer a template is served while its source is down.
	StaleIfError time.Duration `yaml:"stale_if_error" default:"24h" min:"0s" max:"30d"`
	// How long a missing document is remembered as missing.
	Negative time.Duration `yaml:"negative" default:"2s" min:"0s" max:"1h"`
	// Role that reads s3:// templates, a name under `roles`; empty: the gateway's own credentials.
	Role string `yaml:"role"`
}

// Limits bounds a request, a document or a listener.
type Limits struct {
	// Largest template or answer that is filled.
	MaxDocument Size `yaml:"max_document" default:"1MiB" min:"1KiB" max:"64MiB"`
	// Placeholders in one document.
	MaxPlaceholders int `yaml:"max_placeholders" default:"100" min:"1" max:"10000"`
	// Largest filled document.
	MaxRendered Size `yaml:"max_rendered" default:"4MiB" min:"1KiB" max:"256MiB"`
	// Largest object that is signed.
	MaxSignedObject Size `yaml:"max_signed_object" default:"4GiB" min:"1KiB" max:"5TiB"`
	// Concurrent loads from one source.
	MaxSourceLoads int `yaml:"max_source_loads" default:"64" min:"1" max:"10000"`
	// Largest request line and header; longer is 431.
	MaxRequestHeader Size `yaml:"max_request_header" default:"8KiB" min:"1KiB" max:"1MiB" restart:"yes"`
	// Largest request body; longer is 413.
	MaxBody Size `yaml:"max_body" default:"1MiB" min:"0B" max:"1GiB" restart:"yes"`
	// Concurrent device connections; 0: as many as the open-files limit allows, with an upstream connection for each if there is an upstream.
	MaxConnections int `yaml:"max_connections" default:"0" min:"0" max:"10000000" restart:"yes"`
	// Concurrent device requests; more are answered 503 with Retry-After; 0: no limit.
	MaxInFlight int `yaml:"max_in_flight" default:"0" min:"0" max:"10000000"`
	// Time limit for a client to send a request.
	ReadTimeout time.Duration `yaml:"read_timeout" default:"10s" min:"100ms" max:"1h" restart:"yes"`
	// How long a keep-alive connection may be idle.
	IdleTimeout time.Duration `yaml:"idle_timeout" default:"75s" min:"100ms" max:"24h" restart:"yes"`
	// Time limit for the upstream's answer.
	UpstreamTimeout time.Duration `yaml:"upstream_timeout" default:"10s" min:"100ms" max:"1h"`
}

// Drain is the shutdown: /readyz turns 503, delay passes, new connections stop, requests in flight finish.
type Drain struct {
	// Time between /readyz turning 503 and the listeners closing.
	Delay time.Duration `yaml:"delay" default:"5s" min:"0s" max:"10m"`
	// Time limit for requests in flight to finish.
	Timeout time.Duration `yaml:"timeout" default:"25s" min:"100ms" max:"1h"`
}

// Log says how much is logged, and how. Presigned queries, tokens and secrets are never logged.
type Log struct {
	// Minimum level that is logged.
	Level string `yaml:"level" default:"info" enum:"debug|info|warn|error"`
	// Format of log lines.
	Format string `yaml:"format" default:"text" enum:"text|json" restart:"yes"`
}
