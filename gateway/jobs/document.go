package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"jobgate/gateway/jobdoc"
)

// Document is a job's document, compiled, ready to be rendered for a thing. Its literal text is escaped already to
// stand in a JSON string.
type Document struct {
	Template *jobdoc.Template // nil: not asked for
	RoleARN  string           // who signs; "" = nobody has to
	Expires  time.Duration    // for how long a URL is good
}

// documents keeps the compiled documents of jobs in use, one per job.
type documents struct {
	byJob sync.Map // job ID → *compiled
}

// compiled is one job's document. It holds for one role of one job: a job that took the ID of a deleted one was
// created at another time.
type compiled struct {
	created  time.Time
	role     string
	once     sync.Once
	template *jobdoc.Template
	err      error
}

// document returns j's document. It is compiled by the first who asks, the others wait for that.
func (s *Service) document(ctx context.Context, j *Job) (Document, error) {
	d := Document{RoleARN: j.role(), Expires: j.expires()}
	v, ok := s.documents.byJob.Load(j.ID)
	c, _ := v.(*compiled)
	if !ok || c.role != d.RoleARN || !c.created.Equal(j.CreatedAt) {
		c = &compiled{created: j.CreatedAt, role: d.RoleARN}
		s.documents.byJob.Store(j.ID, c)
	}
	c.once.Do(func() { c.template, c.err = s.compileStored(context.WithoutCancel(ctx), j) })
	if c.err != nil {
		s.documents.byJob.CompareAndDelete(j.ID, c)
		return Document{}, c.err
	}
	d.Template = c.template
	return d, nil
}

// compileStored compiles the document that the store has for j.
func (s *Service) compileStored(ctx context.Context, j *Job) (*jobdoc.Template, error) {
	text, err := s.store.JobDocument(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	unavailable := Errorf(ErrUnavailable, "The document of job %s is not to be had under the gateway's present configuration.", j.ID)
	options, ok := s.roles.DocumentOptions(j.role())
	if !ok {
		return nil, fmt.Errorf("%w: role %q is not listed; see roles", unavailable, j.role())
	}
	options.JSONString = true
	t, err := jobdoc.Parse([]byte(text), &options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", unavailable, err)
	}
	return t, nil
}

// ForgetDocuments drops the compiled documents, when the rules under Config.Roles have changed. They are compiled
// again as they are asked for.
func (s *Service) ForgetDocuments() { s.documents.byJob.Clear() }

// forget drops a job's compiled document.
func (s *Service) forget(jobID string) { s.documents.byJob.Delete(jobID) }

func (j *Job) role() string {
	if j.Presign == nil {
		return ""
	}
	return j.Presign.RoleARN
}

func (j *Job) expires() time.Duration {
	if j.Presign == nil || j.Presign.ExpiresInSec == 0 {
		return DefaultExpiresInSec * time.Second
	}
	return time.Duration(j.Presign.ExpiresInSec) * time.Second
}

// SignTimeout is how long a creation waits for the signatures of code files. They are made all the same, and whoever
// asks again finds them.
const SignTimeout = 20 * time.Second

// signDocument is validateDocument for a document that comes to be: signatures that it needs are made.
func (s *Service) signDocument(ctx context.Context, document string, presign *PresignedURLConfig) error {
	if s.sign == nil {
		return s.validateDocument(document, presign, nil)
	}
	ctx, cancel := context.WithTimeout(ctx, SignTimeout)
	defer cancel()
	return s.validateDocument(document, presign, s.sign(ctx))
}

// validateDocument says what AWS would say of a document at CreateJob: whether it is JSON, its placeholders read, and
// its role may sign what it asks for. signatures are those of its code files; nil: that are kept.
func (s *Service) validateDocument(document string, presign *PresignedURLConfig, signatures jobdoc.CodeSignatures) error {
	role := ""
	if presign != nil {
		role = presign.RoleARN
	}
	options, ok := s.roles.DocumentOptions(role)
	if !ok {
		return Errorf(ErrInvalidRequest, "The role %s is not one that this gateway may assume; see roles in its configuration.", role)
	}
	options.JSONString = true
	if signatures != nil {
		options.Signatures = signatures
	}
	t, err := jobdoc.Parse([]byte(document), &options)
	var de *jobdoc.Error
	switch {
	case errors.As(err, &de) && errors.Is(err, jobdoc.ErrNotSigned):
		return Errorf(ErrUnavailable, "%s; try again.", de.Text())
	case errors.Is(err, jobdoc.ErrNoCatalog):
		return Errorf(ErrInvalidRequest, "The job document has a package placeholder, and there is no software package catalog here: write the value into the document.")
	case errors.As(err, &de):
		return Errorf(ErrInvalidRequest, "%s", de.Text())
	case err != nil:
		return Errorf(ErrInvalidRequest, "Invalid job document.")
	case !json.Valid([]byte(document)):
		return Errorf(ErrInvalidRequest, "The job document is not valid JSON.")
	case t.Signs() && role == "":
		return Errorf(ErrInvalidRequest, "presignedUrlConfig role ARN is required to generate an S3 presigned url in job document.")
	}
	return nil
}

// loadDocument returns the document given inline, or fetches it, once.
func (s *Service) loadDocument(ctx context.Context, inline, source string) (string, error) {
	switch {
	case inline != "" && source != "":
		return "", Errorf(ErrInvalidRequest, "Either document or documentSource can be given, not both.")
	case inline != "":
		if len(inline) > MaxInlineDocument {
			return "", Errorf(ErrInvalidRequest, "The job document has %d bytes, the limit is %d.", len(inline), MaxInlineDocument)
		}
		return inline, nil
	case source == "":
		return "", Errorf(ErrInvalidRequest, "Either document or documentSource is required.")
	case s.fetch == nil:
		return "", Errorf(ErrInvalidRequest, "documentSource is not available on this gateway.")
	}
	body, err := s.fetch(ctx, source)
	if told := (*Error)(nil); errors.As(err, &told) {
		return "", told
	}
	if err != nil {
		s.log.Warn("cannot fetch documentSource", "source", withoutQuery(source), "error", err)
		return "", Errorf(ErrInvalidRequest, "Cannot read the job document from documentSource %s.", withoutQuery(source))
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if len(body) > s.limits.MaxDocument {
		return "", Errorf(ErrInvalidRequest, "The job document has %d bytes, the limit is %d.", len(body), s.limits.MaxDocument)
	}
	if !utf8.Valid(body) {
		return "", Errorf(ErrInvalidRequest, "The job document is not UTF-8.")
	}
	return string(body), nil
}

// byteOrderMark is what editors put before UTF-8; a parser of JSON may ignore it (RFC 8259 §8.1).
var byteOrderMark = []byte("\uFEFF")

// withoutQuery cuts off what may be a signature.
func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// parameterPlaceholder is ${aws:iot:parameter:NAME}.
var parameterPlaceholder = regexp.MustCompile(`\$\{aws:iot:parameter:([a-zA-Z0-9_-]{1,128})\}`)

// fillParameters puts the values of a managed template's parameters into its document, which happens once, at
// CreateJob: devices and GetJobDocument see the result. A value may hold placeholders of its own.
func fillParameters(document string, values map[string]string) string {
	return parameterPlaceholder.ReplaceAllStringFunc(document, func(placeholder string) string {
		name := parameterPlaceholder.FindStringSubmatch(placeholder)[1]
		return jsonText(values[name])
	})
}

// jsonText returns s escaped to stand between the quotes of a JSON string.
func jsonText(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n")
}
