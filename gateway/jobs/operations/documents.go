package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
)

// documents keeps the compiled documents of jobs in use, one per job.
type documents struct {
	byJob sync.Map // job ID → *compiled
}

// Forget drops a job's compiled document.
func (d *documents) Forget(jobID string) { d.byJob.Delete(jobID) }

// Clear drops all of them.
func (d *documents) Clear() { d.byJob.Clear() }

// compiled is one job's compiled document. It is valid for one role of one job: a new job with a deleted one's ID has another
// creation time.
type compiled struct {
	created  time.Time
	role     string
	once     sync.Once
	template *jobdoc.Template
	err      error
}

// document returns j's document. The first caller compiles it, the others wait.
func (s *Service) document(ctx context.Context, j *jobs.Job) (jobs.Document, error) {
	d := jobs.Document{RoleARN: j.Role(), Expires: j.Expires()}
	v, ok := s.documents.byJob.Load(j.ID)
	c, _ := v.(*compiled)
	if !ok || c.role != d.RoleARN || !c.created.Equal(j.CreatedAt) {
		c = &compiled{created: j.CreatedAt, role: d.RoleARN}
		s.documents.byJob.Store(j.ID, c)
	}
	c.once.Do(func() { c.template, c.err = s.compileStored(context.WithoutCancel(ctx), j) })
	if c.err != nil {
		s.documents.byJob.CompareAndDelete(j.ID, c)
		return jobs.Document{}, c.err
	}
	d.Template = c.template
	return d, nil
}

// compileStored compiles the document that the store has for j.
func (s *Service) compileStored(ctx context.Context, j *jobs.Job) (*jobdoc.Template, error) {
	text, err := s.store.JobDocument(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	unavailable := jobs.Errorf(jobs.ErrUnavailable, "The document of job %s is not available with the gateway's current configuration.", j.ID)
	options, ok := s.roles.DocumentOptions(j.Role())
	if !ok {
		return nil, fmt.Errorf("%w: role %q is not listed; see roles", unavailable, j.Role())
	}
	options.JSONString = true
	t, err := jobdoc.Parse([]byte(text), &options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", unavailable, err)
	}
	return t, nil
}

// ForgetDocuments drops the compiled documents after a change of the rules in Config.Roles. They are compiled again on
// demand.
func (s *Service) ForgetDocuments() { s.documents.Clear() }

// SignTimeout is how long a creation waits for the signatures of code files. Signing continues after it, so a retry finds
// them.
const SignTimeout = 20 * time.Second

// signDocument is validateDocument for a new document: it makes the signatures needed.
func (s *Service) signDocument(ctx context.Context, document string, presign *jobs.PresignedURLConfig) error {
	if s.sign == nil {
		return s.validateDocument(document, presign, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, SignTimeout)
	defer cancel()
	return s.validateDocument(document, presign, s.sign(ctx))
}

// validateDocument returns the error that AWS would answer to CreateJob: the document must be JSON, its placeholders valid,
// and its role allowed to sign them. signatures returns those of its code files; nil: kept ones only.
func (s *Service) validateDocument(document string, presign *jobs.PresignedURLConfig, signatures jobdoc.CodeSignatures) error {
	role := ""
	if presign != nil {
		role = presign.RoleARN
	}
	options, ok := s.roles.DocumentOptions(role)
	if !ok {
		return jobs.Errorf(jobs.ErrInvalidRequest, "The role %s is not one that this gateway may assume; see roles in its configuration.", role)
	}
	options.JSONString = true
	if signatures != nil {
		options.Signatures = signatures
	}
	t, err := jobdoc.Parse([]byte(document), &options)
	var de *jobdoc.Error
	switch {
	case errors.As(err, &de) && errors.Is(err, jobdoc.ErrNotSigned):
		return jobs.Errorf(jobs.ErrUnavailable, "%s; try again.", de.Text())
	case errors.Is(err, jobdoc.ErrNoCatalog):
		return jobs.Errorf(jobs.ErrInvalidRequest, "The job document has a package placeholder, and there is no software package catalog here: write the value into the document.")
	case errors.As(err, &de):
		return jobs.Errorf(jobs.ErrInvalidRequest, "%s", de.Text())
	case err != nil:
		return jobs.Errorf(jobs.ErrInvalidRequest, "Invalid job document.")
	case !json.Valid([]byte(document)):
		return jobs.Errorf(jobs.ErrInvalidRequest, "The job document is not valid JSON.")
	case t.Signs() && role == "":
		return jobs.Errorf(jobs.ErrInvalidRequest, "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
	}
	return nil
}

// loadDocument returns the inline document, or fetches it once.
func (s *Service) loadDocument(ctx context.Context, inline, source string) (string, error) {
	switch {
	case inline != "" && source != "":
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "Either document or documentSource can be given, not both.")
	case inline != "":
		if len(inline) > MaxInlineDocument {
			return "", jobs.Errorf(jobs.ErrInvalidRequest, "The job document has %d bytes, the limit is %d.", len(inline), MaxInlineDocument)
		}
		return inline, nil
	case source == "":
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "Either document or documentSource is required.")
	case s.fetch == nil:
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "documentSource is not available on this gateway.")
	}
	body, err := s.fetch(ctx, source)
	if fault := (*jobs.Error)(nil); errors.As(err, &fault) {
		return "", fault
	}
	if err != nil {
		s.log.Warn("cannot fetch documentSource", "source", withoutQuery(source), "error", err)
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "Cannot read the job document from documentSource %s.", withoutQuery(source))
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if len(body) > s.limits.MaxDocument {
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "The job document has %d bytes, the limit is %d.", len(body), s.limits.MaxDocument)
	}
	if !utf8.Valid(body) {
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "The job document is not UTF-8.")
	}
	return string(body), nil
}

// byteOrderMark is written by some editors; a JSON parser may ignore it (RFC 8259 §8.1).
var byteOrderMark = []byte("\uFEFF")

// withoutQuery removes the query, which may hold a signature.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}
