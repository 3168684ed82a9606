// Package operations is the IoT Jobs service: one method per operation of AWS's API, for every protocol.
//
//	request ──► Service ──► jobs.Store           read a state, decide, swap it in by its version
//	               ├──► plan, managed            a job's next state, AWS's templates
//	               └──► driver                   publish the change; do the job's first chunk at once
package operations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/driver"
)

// Roles says which roles may sign for jobs, and the rules for parsing their documents. A role that is not listed in the
// configuration is unknown, even if it exists in AWS.
type Roles interface {
	// DocumentOptions returns the rules (hosts, allow-lists, limits) for documents signed with a role; "" is a job
	// without one. false if the role is not listed.
	DocumentOptions(roleARN string) (jobdoc.Options, bool)
}

// Fetcher loads a documentSource, once, during CreateJob or CreateJobTemplate. An *Error is sent to the client. Any other
// error is only logged, and the client's error says that the document cannot be read.
type Fetcher func(ctx context.Context, url string) ([]byte, error)

// Config is what a Service needs.
type Config struct {
	Store    jobs.Store // required; the Service does not close it
	Names    jobs.Names // required
	Endpoint string     // DescribeEndpoint's answer: host[:port]
	Roles    Roles      // nil: no role, so documents cannot have URLs
	Fetch    Fetcher    // nil: documentSource is refused
	// Signatures signs the code files of a new document, until ctx ends; nil: uses those
	// of DocumentOptions.
	Signatures   func(ctx context.Context) jobdoc.CodeSignatures
	Limits       Limits
	Retention    time.Duration // jobs that ended longer ago are deleted; 0: never
	PublishEvery time.Duration // minimum interval between events of a job's counts; 0: a second
	Log          *slog.Logger  // nil: discards
}

// Limits bound a request or a step; 0 is the default.
type Limits struct {
	MaxDocument int // bytes of a documentSource's document; inline ones have AWS's 32768
	ChunkSize   int // executions in one background step
	MaxPending  int // pending executions shown to a device
}

// Defaults of Limits, and AWS's bound on an inline document (AWS.md §3).
const (
	DefaultMaxDocument = 1 << 20
	DefaultChunkSize   = 2000
	DefaultMaxPending  = 15
	MaxInlineDocument  = 32768
)

// Service is the IoT Jobs service, with one method per operation. It is safe for concurrent use. Methods take the time of
// the request.
type Service struct {
	store    jobs.Store
	names    jobs.Names
	endpoint string
	roles    Roles
	fetch    Fetcher
	sign     func(ctx context.Context) jobdoc.CodeSignatures
	limits   Limits
	log      *slog.Logger

	publish   *driver.Publisher
	driver    *driver.Driver
	documents documents
	scratch   sync.Pool // *[]Execution
}

// New returns a Service over c.Store. Timers, rollouts and sweeps need a running Driver().Run.
func New(c Config) (*Service, error) {
	if c.Store == nil {
		return nil, errors.New("cannot start the jobs service: no store")
	}
	if c.Names.Region == "" || c.Names.Account == "" {
		return nil, fmt.Errorf("cannot start the jobs service for region %q, account %q: both are required; see jobs.region, jobs.account",
			c.Names.Region, c.Names.Account)
	}
	if c.Roles == nil {
		c.Roles = noRoles{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		store: c.Store, names: c.Names, endpoint: c.Endpoint, roles: c.Roles, fetch: c.Fetch, sign: c.Signatures, log: c.Log,
		limits: Limits{
			MaxDocument: cmp.Or(c.Limits.MaxDocument, DefaultMaxDocument),
			ChunkSize:   cmp.Or(c.Limits.ChunkSize, DefaultChunkSize),
			MaxPending:  cmp.Or(c.Limits.MaxPending, DefaultMaxPending),
		},
		publish: driver.NewPublisher(c.Store.Shared(), c.Log),
	}
	s.driver = driver.New(driver.Config{
		Store: c.Store, Publisher: s.publish, Documents: &s.documents,
		ChunkSize: s.limits.ChunkSize, Retention: c.Retention, PublishEvery: c.PublishEvery, Log: c.Log,
	})
	s.scratch.New = func() any { list := make([]jobs.Execution, 0, 8); return &list }
	return s, nil
}

// Names returns the formatter of the service's ARNs.
func (s *Service) Names() jobs.Names { return s.names }

// Events returns the stream of changes.
func (s *Service) Events() *jobs.Events { return &s.publish.Events }

// Driver returns the driver, which does the background work on jobs.
func (s *Service) Driver() *driver.Driver { return s.driver }

// Endpoint answers DescribeEndpoint. endpointType "" is AWS's default, iot:Data; all types have the same data plane here.
func (s *Service) Endpoint(endpointType string) (string, error) {
	switch endpointType {
	case "", jobs.EndpointData, jobs.EndpointDataATS, jobs.EndpointJobs:
		return s.endpoint, nil
	}
	return "", jobs.Errorf(jobs.ErrInvalidRequest, "Endpoint type %q is not served here; iot:Jobs is.", endpointType)
}

// Secret returns a secret that the gateways of the store share; see SecretStore.
func (s *Service) Secret(ctx context.Context, name string) ([]byte, error) {
	return s.store.Secret(ctx, name)
}

// Totals returns the executions of all jobs by status, for metrics.
func (s *Service) Totals(ctx context.Context) (jobs.Counts, error) { return s.store.Totals(ctx) }

// noRoles has no roles: documents cannot have URLs.
type noRoles struct{}

func (noRoles) DocumentOptions(roleARN string) (jobdoc.Options, bool) {
	return jobdoc.Options{}, roleARN == ""
}
