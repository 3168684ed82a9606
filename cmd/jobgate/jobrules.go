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

// jobRules are one configuration's rules for jobs: which roles may sign, what they may sign, and how a documentSource is
// read. They are immutable.
type jobRules struct {
	sessions signing.Sessions
	signers  map[string]jobSigner // by the role's ARN
	noRole   jobdoc.Options       // for documents of jobs that name no role
	maxURL   int                  // presign.max_url_bytes

	s3          source.S3Options
	maxDocument int64
	codes       *codesigning.Signer // nil: code signing is off
}

// sign allows code-sign placeholders in documents of jobs. Devices get stored signatures; see operations.Config.Signatures.
func (r *jobRules) sign(codes *codesigning.Signer) {
	if codes == nil {
		return
	}
	r.codes = codes
	r.noRole.Signatures = codes.KeptForJobs()
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
	// Nothing is signed without a role. The service reports that with AWS's text, so the policy here allows everything.
	r.noRole, err = permits.Unsigned()
	return r, err
}

// load reads a documentSource, an object in S3, as cache.role. Only S3 is contacted: the URL is untrusted input.
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

// object parses an S3 URL by the rules of placeholders.
func (r *jobRules) object(url string) (jobdoc.Object, error) {
	if jobdoc.Scan([]byte(url)) >= 0 {
		return jobdoc.Object{}, errors.New("it is a placeholder; give the URL alone, https://s3.<region>.amazonaws.com/<bucket>/<key>, which is read and not signed")
	}
	placeholder, err := awsenv.Placeholder("GET", url, &awsenv.S3Host{})
	if err != nil {
		return jobdoc.Object{}, errors.New("it is not percent-encoded")
	}
	options := r.noRole
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

// maxSource bounds the size of a documentSource, in bytes: the largest value of limits.max_document.
const maxSource = 64 << 20

// jobRulesInForce holds the current configuration's rules; a reload replaces them. It implements operations.Roles
// and signing.Authority, and is safe for concurrent use.
type jobRulesInForce struct {
	current atomic.Pointer[jobRules]
}

var (
	_ operations.Roles  = (*jobRulesInForce)(nil)
	_ signing.Authority = (*jobRulesInForce)(nil)
)

// DocumentOptions implements operations.Roles.
func (f *jobRulesInForce) DocumentOptions(roleARN string) (jobdoc.Options, bool) {
	r := f.current.Load()
	if roleARN == "" {
		return r.noRole, true
	}
	signer, listed := r.signers[roleARN]
	return signer.options, listed
}

// Skew implements signing.Authority.
func (f *jobRulesInForce) Skew() time.Duration { return f.current.Load().sessions.Skew() }

// Grant implements signing.Authority. The role of t is an ARN.
func (f *jobRulesInForce) Grant(ctx context.Context, t signing.Terms) (signing.Grant, error) {
	r := f.current.Load()
	signer, listed := r.signers[t.Role]
	if !listed {
		return signing.Grant{}, fmt.Errorf("cannot sign for a job with role %q: it is not one of roles", t.Role)
	}
	t.Role = signer.role
	return r.sessions.Grant(ctx, t)
}

// signatures returns the signer for the code files of a new document, nil if code signing is off.
func (f *jobRulesInForce) signatures(ctx context.Context) jobdoc.CodeSignatures {
	if codes := f.current.Load().codes; codes != nil {
		return codes.Making(ctx)
	}
	return nil
}

func (f *jobRulesInForce) fetch(ctx context.Context, url string) ([]byte, error) {
	return f.current.Load().load(ctx, url)
}

// tooLong reports whether a URL of this many bytes exceeds presign.max_url_bytes.
func (f *jobRulesInForce) tooLong(bytes int) bool {
	most := f.current.Load().maxURL
	return most > 0 && bytes > most
}
