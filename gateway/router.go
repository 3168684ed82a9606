package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"jobgate/cache"
	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/metrics"
	"jobgate/gateway/source"
	"jobgate/gateway/target"
)

// route is a compiled Route.
type route struct {
	path         string
	pattern      pathPattern
	fill         bool
	passUnfilled bool            // see Route.PassUnfilled
	document     *source.Pattern // nil with fill
	source       source.Source
	keyed        []int // the variables used in document
	options      jobdoc.Options
	role         string
	expires      time.Duration
	content      string // content type instead of the source's, "": the source's
	keyPrefix    []byte // of the cache: the same for routes that load and read templates alike

	thingName, jobID, executionNumber int // indices of the path variables; -1: none
	durations                         *edge.Route
	loads                             *metrics.Loads
}

// router finds the route of a path: the first match among those with the same number of segments.
type router struct {
	bySegments [target.MaxSegments + 1][]*route
}

func (t *router) add(r *route) {
	n := len(r.pattern.segments)
	t.bySegments[n] = append(t.bySegments[n], r)
}

// match returns the route of x's path, nil if there is none, and sets its variables in x.
func (t *router) match(x *exchange) *route {
	if err := x.target.Spelling(); err != nil && errors.Is(err, target.ErrEscape) {
		return nil
	}
	path := x.target.Segments()
	for _, r := range t.bySegments[len(path)] {
		if r.pattern.match(path, &x.vars) {
			return r
		}
	}
	return nil
}

// shadowedBy returns the path of a route that matches every path r matches, "" if there is none.
func (t *router) shadowedBy(r *route) string {
	for _, known := range t.bySegments[len(r.pattern.segments)] {
		if known.pattern.shadows(&r.pattern) {
			return known.path
		}
	}
	return ""
}

func (h *Handler) newRoute(c *Config, config *Route) (*route, error) {
	pattern, err := parsePath(config.Path)
	if err != nil {
		return nil, err
	}
	if len(pattern.segments) > target.MaxSegments {
		return nil, fmt.Errorf("it has %d segments, the limit is %d", len(pattern.segments), target.MaxSegments)
	}
	r := &route{
		path: config.Path, pattern: pattern, fill: config.Fill, passUnfilled: config.PassUnfilled, role: config.Role, expires: config.Expires,
		thingName: pattern.index("thingName"), jobID: pattern.index("jobId"), executionNumber: pattern.index("executionNumber"),
		durations: c.Metrics.Edge.Route(config.Path, c.Log),
	}
	if r.options, err = h.options(c, config.Role); err != nil {
		return nil, err
	}
	r.options.Parameters, r.options.Strict = config.Parameters, config.Strict
	r.content = config.ContentType
	if config.Fill && config.CodeSign && c.CodeSign != nil {
		r.options.Signatures = c.CodeSign.Kept()
	}
	if config.Fill {
		return r, h.checkFill(c, config)
	}
	return r, r.setDocument(c, config)
}

// setDocument sets the source of the route's templates, and their cache key.
func (r *route) setDocument(c *Config, config *Route) (err error) {
	if r.document, err = source.ParsePattern(config.Document, r.pattern.variables); err != nil {
		return err
	}
	for i := range r.pattern.variables {
		if r.document.Uses(i) {
			r.keyed = append(r.keyed, i)
		}
	}
	scheme, known := r.document.Scheme(), false
	if scheme == "file" {
		r.source, err = source.NewFile(r.document.Folder())
	} else if r.source, known = c.Sources[scheme]; !known {
		err = fmt.Errorf("there is no source for %s:// documents", scheme)
	}
	if err != nil {
		return err
	}
	r.keyPrefix = cacheKeyPrefix(config, c)
	r.loads = c.Metrics.Loads(r.source.Name())
	return nil
}

// checkFill requires a list of what may be signed before untrusted text is filled.
func (h *Handler) checkFill(c *Config, config *Route) error {
	switch {
	case config.Document != "":
		return fmt.Errorf("it has both document and fill")
	case len(c.Upstream) == 0:
		return fmt.Errorf("fill needs an upstream")
	case !h.permits.Lists(config.Role):
		return fmt.Errorf("fill needs a list of the objects that may be signed; see presign.allow")
	}
	return nil
}

// cacheKeyPrefix hashes every setting that affects how a route compiles a template, so
// that configurations that differ in one do not share entries, and a reload without
// changes keeps all entries.
func cacheKeyPrefix(r *Route, c *Config) []byte {
	digest := sha256.New()
	// Everything is plain data, and fmt prints maps in the order of their keys.
	_, _ = fmt.Fprintf(digest, "%q %#v %#v %#v", r.Path, *r, c.Presign, c.Rules[r.Role])
	_, _ = fmt.Fprintf(digest, "%d %d %d", c.Limits.MaxDocument, c.Limits.MaxPlaceholders, c.Limits.MaxRendered)
	if c.CodeSign != nil {
		_, _ = digest.Write([]byte(c.CodeSign.Generation()))
	}
	return digest.Sum(nil)[:16]
}

// key sets x's cache key of the request's template: the route's prefix and the values
// of the variables in its document's URL.
func (r *route) key(x *exchange) []byte {
	x.key = append(x.key[:0], r.keyPrefix...)
	for _, i := range r.keyed {
		x.key = cache.AppendPart(x.key, x.vars[i])
	}
	return x.key
}

// thing returns the value of {thingName}, nil if the path has none.
func (r *route) thing(x *exchange) []byte {
	if r.thingName < 0 {
		return nil
	}
	return x.vars[r.thingName]
}

// values returns the values of the local placeholders: the path variables with their names.
func (r *route) values(x *exchange) (v jobdoc.Values) {
	if r.thingName >= 0 {
		v.ThingName = x.vars[r.thingName]
	}
	if r.jobID >= 0 {
		v.JobID = x.vars[r.jobID]
	}
	if r.executionNumber >= 0 {
		v.ExecutionNumber = x.vars[r.executionNumber]
	}
	return v
}
