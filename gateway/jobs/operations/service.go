// Package operations is the IoT Jobs service: one method an operation of AWS's API, whichever wire it came by.
//
//	request ──► Service ──► jobs.Store           read a state, decide, swap it in by its version
//	               ├──► plan, managed            what becomes of a job, what AWS's templates hold
//	               └──► driver                   publish the change; look at the job, its first chunk at once
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

// Roles says which roles may sign for jobs, and under which rules documents of theirs are read. A role that is not
// listed in the configuration is unknown, whatever AWS would say of it.
type Roles interface {
	// DocumentOptions returns the rules (hosts, allow-lists, limits) for documents signed with a role; "" is a job
	// without one. false if the role is not listed.
	DocumentOptions(roleARN string) (jobdoc.Options, bool)
}

// Fetcher loads a documentSource, once, while CreateJob or CreateJobTemplate runs. An *Error is the client's answer. Any
// other error is the log's; the client is told that the document cannot be read.
type Fetcher func(ctx context.Context, url string) ([]byte, error)

// Config is what a Service needs.
type Config struct {
	Store    jobs.Store // required; the Service does not close it
	Names    jobs.Names // required
	Endpoint string     // what DescribeEndpoint answers: host[:port]
	Roles    Roles      // nil: no role is listed, so no document may sign
	Fetch    Fetcher    // nil: documentSource is refused
	// Signatures makes signatures of the code files in a document that is being created,
	// until ctx ends; nil: as DocumentOptions say.
	Signatures func(ctx context.Context) jobdoc.CodeSignatures
	Limits     Limits
	Retention  time.Duration // jobs that ended longer ago are deleted; 0: never
	TellEvery  time.Duration // how often followers are told a job's counts at most; 0: a second
	Log        *slog.Logger  // nil: discards
}

// Limits bound what one request or one step may cost; 0 is the default.
type Limits struct {
	MaxDocument int // bytes of a documentSource's document; inline ones have AWS's 32768
	ChunkSize   int // executions that a background step takes at once
	MaxPending  int // pending executions that a device is shown
}

// Defaults of Limits, and AWS's bound on an inline document (AWS.md §3).
const (
	DefaultMaxDocument = 1 << 20
	DefaultChunkSize   = 2000
	DefaultMaxPending  = 15
	MaxInlineDocument  = 32768
)

// Service is the IoT Jobs service: one method an operation. It is safe for concurrent use. Every method takes the
// clock's time of the request.
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

// New returns a Service over c.Store. Driver().Run has to be started for timers, rollouts and sweeps to proceed.
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
		ChunkSize: s.limits.ChunkSize, Retention: c.Retention, TellEvery: c.TellEvery, Log: c.Log,
	})
	s.scratch.New = func() any { list := make([]jobs.Execution, 0, 8); return &list }
	return s, nil
}

// Names returns how the service forms ARNs.
func (s *Service) Names() jobs.Names { return s.names }

// Events returns the stream of changes.
func (s *Service) Events() *jobs.Events { return &s.publish.Events }

// Driver returns what does the background work on the service's jobs.
func (s *Service) Driver() *driver.Driver { return s.driver }

// Endpoint answers DescribeEndpoint. endpointType "" is AWS's default, iot:Data; the data plane of all of them is here.
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

// noRoles lists no role: documents may be plain, and may not sign.
type noRoles struct{}

func (noRoles) DocumentOptions(roleARN string) (jobdoc.Options, bool) {
	return jobdoc.Options{}, roleARN == ""
}
