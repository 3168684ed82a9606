package gateway

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"time"
	"unique"

	"go.opentelemetry.io/otel/trace"

	"jobgate/cache"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/metrics"
	"jobgate/gateway/signing"
	"jobgate/gateway/source"
	"jobgate/gateway/tracing"
)

// document is a job document's template as it was loaded, and its last rendering.
type document struct {
	slot        signing.Slot
	contentType unique.Handle[string] // there are few, see jobdoc.Template for why that matters
	template    jobdoc.Template
	etag        string // of the source, for revalidation
	modified    string
}

// documentOverhead is the memory of a document beyond its template and validators.
const documentOverhead = 256

// Documents is the cache of templates. It outlives a reload: keys tell configurations apart.
type Documents = cache.Cache[*document]

// DocumentsConfig is the settings of the cache, and of how its entries are loaded.
type DocumentsConfig struct {
	MaxBytes     int64
	Fresh        time.Duration
	StaleIfError time.Duration
	Negative     time.Duration
	MaxLoads     int // at once, per kind of source
	LoadTimeout  time.Duration
}

// rules returns the cache's configuration. A source's answer about a document (missing,
// forbidden, invalid) is definitive; a failure to answer is not.
func (c DocumentsConfig) rules() cache.Config[*document] {
	return cache.Config[*document]{
		MaxBytes: c.MaxBytes, Fresh: c.Fresh, StaleIfError: c.StaleIfError, Negative: c.Negative,
		MaxLoads: c.MaxLoads, LoadTimeout: c.LoadTimeout,
		Cost: func(d *document) int64 {
			return documentOverhead + int64(d.template.Size()+len(d.etag)+len(d.modified))
		},
		Definitive: func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.Status != 503
		},
	}
}

// NewDocuments returns an empty cache.
func NewDocuments(c DocumentsConfig) (*Documents, error) { return cache.New(c.rules()) }

// ResetDocuments empties the cache and gives it another configuration.
func ResetDocuments(d *Documents, c DocumentsConfig) error { return d.Reset(c.rules()) }

// find returns the template of the request's document, from the cache or loaded; concurrent
// requests share one load.
func (h *Handler) find(ctx context.Context, x *exchange, r *route) (*document, *Error) {
	key := r.key(x)
	// Fast path: in the cache and fresh, or being revalidated already.
	d, state := h.documents.Get(key, x.now)
	if state == cache.Fresh || state == cache.Stale {
		return d, nil
	}
	// Slow path: load it, or start loading and use the old one.
	return h.load(ctx, x, r, key)
}

func (h *Handler) load(ctx context.Context, x *exchange, r *route, key []byte) (*document, *Error) {
	url, err := r.document.AppendURL(nil, x.vars[:len(r.pattern.variables)])
	if err != nil {
		return nil, errBadRequest("the path names no document: %v", errors.Unwrap(err))
	}
	request := source.Request{URL: string(url), Limit: int64(h.limits.MaxDocument)} // the load may outlive the request
	span := tracing.Of(ctx)
	loader := func(ctx context.Context, old *document, kept bool) (*document, error) {
		return h.loadDocument(tracing.With(ctx, span), r, request, old, kept)
	}
	d, err := h.documents.Load(ctx, cache.Request[*document]{Key: key, Now: x.now, Source: r.source.Name(), Loader: loader})
	if err == nil {
		return d, nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return nil, e
	case errors.Is(err, cache.ErrBusy):
		return nil, errUnavailable("too many documents are being loaded at once", time.Second, err)
	default:
		return nil, errUnavailable("the document's source does not answer", time.Second, err)
	}
}

// loadDocument loads a document from the source and compiles it. Its errors are *Error.
func (h *Handler) loadDocument(ctx context.Context, r *route, request source.Request, old *document, kept bool) (*document, error) {
	if kept {
		request.ETag, request.LastModified = old.etag, old.modified
	}
	began := time.Now()
	step, span := tracing.Start(ctx, "load from "+r.source.Name(), trace.SpanKindClient)
	parent := tracing.ContextOf(step)
	request.TraceParent, request.TraceState = parent.Parent, parent.State
	loaded, err := r.source.Load(step, request)
	span.End(err)
	r.observeLoad(loaded.NotModified, err, time.Since(began))
	switch {
	case err != nil:
		return nil, h.sourceError(r, err, began)
	case loaded.NotModified:
		return nil, cache.ErrNotModified
	default:
		h.loaded.Add(1)
		var signatures jobdoc.CodeSignatures
		if h.codesign != nil {
			signatures = h.codesign.Making(ctx)
		}
		return r.compile(&loaded, signatures)
	}
}

// sourceError is the device's view of a source's error. S3 answers 403 for a missing key
// if the role may not list the bucket, so 403 is 404 for the device, and the log says why.
func (h *Handler) sourceError(r *route, err error, now time.Time) *Error {
	switch {
	case errors.Is(err, source.ErrForbidden):
		if h.counters.LogLimit.Allow(now) {
			h.log.Warn("a source refused a document; S3 does so for a missing key when the role lacks s3:ListBucket", "route", r.path, "error", err)
		}
		return errNotFound(err)
	case errors.Is(err, source.ErrNotFound):
		return errNotFound(err)
	case errors.Is(err, source.ErrTooLarge):
		return errDocument("the job document is larger than the gateway's limits.max_document", err)
	default:
		return errUnavailable("the document's source does not answer", time.Second, err)
	}
}

// compile parses a template and checks that the route has the values it needs.
func (r *route) compile(loaded *source.Document, signatures jobdoc.CodeSignatures) (*document, error) {
	contentType := cmp.Or(r.content, loaded.ContentType, "application/json")
	options := r.options
	options.PlainText = !jobdoc.IsJSON([]byte(contentType))
	options.Signatures = signatures
	d := &document{
		contentType: unique.Make(contentType), etag: loaded.ETag, modified: loaded.LastModified,
		slot: signing.Slot{Offset: int64(maphash.Bytes(offsetSeed, loaded.Body) >> 33)},
	}
	if err := d.template.Parse(loaded.Body, &options); err != nil {
		return nil, documentError(err)
	}
	for local, index := range map[jobdoc.Local]int{jobdoc.ThingName: r.thingName, jobdoc.JobID: r.jobID, jobdoc.ExecutionNumber: r.executionNumber} {
		if d.template.Locals().Has(local) && index < 0 {
			return nil, errDocument("the document needs ${"+local.String()+"}, which is not a variable of the route's path", nil)
		}
	}
	return d, nil
}

var offsetSeed = maphash.MakeSeed()

// observeLoad counts one load.
func (r *route) observeLoad(notModified bool, err error, took time.Duration) {
	outcome := metrics.LoadFailed
	switch {
	case notModified:
		outcome = metrics.LoadNotModified
	case err == nil:
		outcome = metrics.LoadOK
	case errors.Is(err, source.ErrNotFound), errors.Is(err, source.ErrForbidden):
		outcome = metrics.LoadNotFound
	}
	r.loads[outcome].Observe(took.Seconds())
}
