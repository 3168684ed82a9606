package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"jobgate/cmd/jobgate/awsenv"
	"jobgate/cmd/jobgate/codesigning"
	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/signing"
	"jobgate/gateway/source"
	"jobgate/presigner/role"
)

// jobRules say which roles may sign for jobs, what they may sign, and how a documentSource is read: one configuration's
// word. They are immutable.
type jobRules struct {
	sessions signing.Sessions
	signers  map[string]jobSigner // by the role's ARN
	unsaid   jobdoc.Options       // for documents of jobs that name no role
	maxURL   int                  // presign.max_url_bytes

	s3          source.S3Options
	maxDocument int64
	codes       *codesigning.Signer // nil: no code file is signed
}

// sign lets documents of jobs hold code-sign placeholders. Devices get what is kept; see jobs.Config.Signatures.
func (r *jobRules) sign(codes *codesigning.Signer) {
	if codes == nil {
		return
	}
	r.codes = codes
	r.unsaid.Signatures = codes.KeptForJobs()
	for arn, signer := range r.signers {
		signer.options.Signatures = codes.KeptForJobs()
		r.signers[arn] = signer
	}
}

// jobSigner is a role that jobs may name.
type jobSigner struct {
	role    string // its name
	options jobdoc.Options
}

func newJobRules(c *config.Config, a aws.Config, s3 string, roles *role.Set) (*jobRules, error) {
	permits, err := configured.Permits(c, configured.Hosts(c, a, s3))
	if err != nil {
		return nil, err
	}
	r := &jobRules{
		sessions: signing.Sessions{Roles: roles}, signers: make(map[string]jobSigner, len(c.Roles)), maxURL: c.Presign.MaxURLBytes,
		s3: configured.S3Options(c, a, s3, roles), maxDocument: int64(c.Limits.MaxDocument),
	}
	for name, listed := range c.Roles {
		options, err := permits.Options(name)
		if err != nil {
			return nil, err
		}
		r.signers[listed.ARN] = jobSigner{name, options}
	}
	// Nothing is signed without a role. A policy that allows all leaves that to be said, in AWS's words, by the service.
	r.unsaid, err = permits.Unsigned()
	return r, err
}

// load reads a documentSource, an object in S3, as cache.role. It asks S3 and nobody else: the URL is a stranger's.
func (r *jobRules) load(ctx context.Context, url string) ([]byte, error) {
	object, err := r.object(url)
	if err != nil {
		return nil, jobs.Errorf(jobs.ErrInvalidRequest, "documentSource is not the URL of an S3 object: %v", err)
	}
	o := r.s3
	o.Region, o.BucketRegions = object.Region, nil
	s3, err := source.NewS3(o)
	if err != nil {
		return nil, err
	}
	defer s3.Close()
	d, err := s3.Load(ctx, source.Request{URL: "s3://" + object.Bucket + "/" + object.Key, Limit: r.maxDocument})
	if errors.Is(err, source.ErrTooLarge) {
		return nil, jobs.Errorf(jobs.ErrInvalidRequest, "The job document of documentSource is larger than %d bytes, the gateway's limits.max_document.", r.maxDocument)
	}
	return d.Body, err
}

// object reads an S3 URL as a placeholder for it would be read.
func (r *jobRules) object(url string) (jobdoc.Object, error) {
	if jobdoc.Scan([]byte(url)) >= 0 {
		return jobdoc.Object{}, errors.New("it is a placeholder; give the URL alone, https://s3.<region>.amazonaws.com/<bucket>/<key>, which is read and not signed")
	}
	placeholder, err := awsenv.Placeholder("GET", url, &awsenv.S3Host{})
	if err != nil {
		return jobdoc.Object{}, errors.New("it is not percent-encoded")
	}
	options := r.unsaid
	options.PlainText = true
	t, err := jobdoc.Parse([]byte(placeholder), &options)
	var fault *jobdoc.Error
	switch {
	case errors.As(err, &fault):
		return jobdoc.Object{}, errors.New(strings.TrimSuffix(fault.Text(), "."))
	case err != nil:
		return jobdoc.Object{}, err
	}
	object := t.Objects()[0]
	switch {
	case object.VersionID != "":
		return jobdoc.Object{}, errors.New("it names a version; only current ones can be read")
	case strings.Contains(url, ".s3-accesspoint"):
		return jobdoc.Object{}, errors.New("it names an access point; only buckets can be read")
	}
	return object, nil
}

// maxSource bounds what a documentSource may hold before limits.max_document is looked at, in bytes: its own maximum.
const maxSource = 64 << 20

// jobRulesInForce are the rules of the configuration in force; a reload puts others there. It is jobs.Roles and
// signing.Authority, safe for concurrent use.
type jobRulesInForce struct {
	current atomic.Pointer[jobRules]
}

var (
	_ operations.Roles  = (*jobRulesInForce)(nil)
	_ signing.Authority = (*jobRulesInForce)(nil)
)

// DocumentOptions implements jobs.Roles.
func (f *jobRulesInForce) DocumentOptions(roleARN string) (jobdoc.Options, bool) {
	r := f.current.Load()
	if roleARN == "" {
		return r.unsaid, true
	}
	signer, listed := r.signers[roleARN]
	return signer.options, listed
}

// Skew implements signing.Authority.
func (f *jobRulesInForce) Skew() time.Duration { return f.current.Load().sessions.Skew() }

// Grant implements signing.Authority, by the ARNs of roles.
func (f *jobRulesInForce) Grant(ctx context.Context, t signing.Terms) (signing.Grant, error) {
	r := f.current.Load()
	signer, listed := r.signers[t.Role]
	if !listed {
		return signing.Grant{}, fmt.Errorf("cannot sign for a job with role %q: it is not one of roles", t.Role)
	}
	t.Role = signer.role
	return r.sessions.Grant(ctx, t)
}

// signatures makes signatures for a document that is created; nil if no code file is signed.
func (f *jobRulesInForce) signatures(ctx context.Context) jobdoc.CodeSignatures {
	if codes := f.current.Load().codes; codes != nil {
		return codes.Making(ctx)
	}
	return nil
}

func (f *jobRulesInForce) fetch(ctx context.Context, url string) ([]byte, error) {
	return f.current.Load().load(ctx, url)
}

// tooLong says whether a URL of so many bytes is longer than presign.max_url_bytes.
func (f *jobRulesInForce) tooLong(bytes int) bool {
	most := f.current.Load().maxURL
	return most > 0 && bytes > most
}
