package jobdoc

import (
	"math"
	"strings"

	"jobgate/gateway/jobdoc/glob"
	"jobgate/gateway/jobdoc/jsontext"
	"jobgate/gateway/jobdoc/s3host"
	"jobgate/presigner"
)

// Parse compiles a document. It rejects what cannot be filled for any device, with an
// *Error that has line and column. See the package's documentation for the language,
// and Options for limits. The Template retains neither doc nor o, but shares o's
// Policy. A nil o means the zero Options.
func Parse(doc []byte, o *Options) (*Template, error) {
	t := new(Template)
	if err := t.Parse(doc, o); err != nil {
		return nil, err
	}
	return t, nil
}

// Parse is [Parse] into a Template embedded in another struct. On an error t is unchanged.
func (t *Template) Parse(doc []byte, o *Options) error {
	o = o.orDefault()
	c := compiler{options: o, text: make([]byte, 0, len(doc))}
	w := newWalker(doc, o, &c)
	defer w.free()
	c.walker = w
	if err := w.walk(); err != nil {
		return err
	}
	if err := c.checkSeams(); err != nil {
		return err
	}
	if err := checkRendered(len(c.text), o.maxRendered()); err != nil {
		return err
	}
	*t = Template{locals: c.locals, uploads: c.uploads, signatures: w.signatures, maxRendered: o.maxRendered(), policy: o.Policy}
	c.fill(t)
	return nil
}

// fill sets t's text and holes, in slices of exactly their size, because a template is kept for long.
func (c *compiler) fill(t *Template) {
	t.holes = t.first[:0]
	if len(c.holes) > len(t.first) {
		t.holes = make([]urlHole, 0, len(c.holes))
	}
	t.holes = append(t.holes, c.holes...)
	size := len(c.text)
	for i := range t.holes {
		for _, part := range t.holes[i].parts() {
			size += len(*part)
		}
	}
	var b strings.Builder
	b.Grow(size)
	b.Write(c.text)
	for i := range t.holes {
		for _, part := range t.holes[i].parts() {
			b.WriteString(*part)
		}
	}
	all := b.String()
	cut := func(n int) (part string) {
		part, all = all[:n], all[n:]
		return part
	}
	t.text = cut(len(c.text))
	for i := range t.holes {
		for _, part := range t.holes[i].parts() {
			*part = cut(len(*part))
		}
	}
}

// parts returns the strings that only h uses.
func (h *urlHole) parts() [4]*string {
	return [...]*string{&h.target.Path, &h.target.Version, &h.version, &h.bucket}
}

// compiler is the sink of Parse.
type compiler struct {
	options *Options
	walker  *walker
	text    []byte
	holes   []urlHole
	locals  Locals
	uploads bool
}

func (c *compiler) literal(text []byte, escapes int) {
	c.text = jsontext.AppendEscaped(c.text, text, escapes)
}

func (c *compiler) object(o *object) *Error {
	h := urlHole{
		at:       len(c.text),
		endpoint: o.endpoint,
		bucket:   o.endpoint.Bucket,
		version:  string(o.version),
		method:   o.method,
		keyBytes: len(o.key),
	}
	if h.bucket == "" {
		h.bucket = string(o.bucket)
	}
	region := c.options.resolver().RegionOf(o.endpoint, o.bucket)
	ask, err := c.judge(o, region)
	if err != nil {
		return err
	}
	h.ask = ask
	h.setTarget(c.options.resolver(), o, region)
	line, column := Position(c.walker.doc, c.walker.start)
	h.line, h.column = int32(min(line, math.MaxInt32)), int32(min(column, math.MaxInt32))
	c.holes = append(c.holes, h)
	c.uploads = c.uploads || o.method == presigner.PUT
	for _, m := range o.marks {
		c.locals |= 1 << m.name
	}
	return nil
}

// judge asks the policy about an object; ask is true if the answer depends on the device.
func (c *compiler) judge(o *object, region string) (ask bool, err *Error) {
	if err := c.options.Policy.checkSegments(o); err != nil {
		return false, err
	}
	resource := appendResource(nil, o.endpoint, o.bucket)
	from := 0
	for _, m := range o.marks {
		resource = append(append(resource, o.key[from:m.at]...), glob.Hole)
		from = m.at
	}
	resource = append(resource, o.key[from:]...)
	switch c.options.Policy.judge(o.method, o.endpoint, region, resource) {
	case never:
		return false, c.options.Policy.refusal(o.method, o.endpoint, region, resource)
	case depends:
		return true, nil
	}
	return false, nil
}

// setTarget escapes the object's path, and moves its marks to their positions in the
// escaped path.
func (h *urlHole) setTarget(r *s3host.Resolver, o *object, region string) {
	path := appendPathPrefix(nil, o.endpoint, h.bucket)
	h.keyAt = int32(len(path))
	if len(o.marks) > 0 {
		h.marks = make([]mark, 0, len(o.marks))
	}
	from := 0
	for _, m := range o.marks {
		path = presigner.AppendEscapedKey(path, o.key[from:m.at])
		from = m.at
		h.marks = append(h.marks, mark{at: len(path), name: m.name})
	}
	path = presigner.AppendEscapedKey(path, o.key[from:])
	h.target = presigner.Object{VersionID: h.version}.Target()
	at := r.Located(o.endpoint, region)
	h.target.Origin, h.target.Host, h.target.Region = at.Origin, at.Host, region
	h.target.Path = string(path)
}

// appendPathPrefix appends the part of a URL's path before the key. bucket is the one in
// the placeholder's path; it is ignored if the host names the bucket.
func appendPathPrefix[S string | []byte](dst []byte, e *s3host.Endpoint, bucket S) []byte {
	dst = append(dst, '/')
	switch {
	case e.Style == presigner.HostStyle:
		return dst
	case e.Bucket != "":
		dst = append(dst, e.Bucket...)
	default:
		dst = append(dst, bucket...)
	}
	return append(dst, '/')
}

// checkSeams rejects a document in which a parameter's value and the text around it form
// a new placeholder: it would reach a device unfilled.
func (c *compiler) checkSeams() *Error {
	if !c.walker.parameters {
		return nil
	}
	from := 0
	for _, h := range c.holes {
		if Scan(c.text[from:h.at]) >= 0 {
			return seamError()
		}
		from = h.at
	}
	if Scan(c.text[from:]) >= 0 {
		return seamError()
	}
	return nil
}

func seamError() *Error {
	return parameterError("a value and the text around it make a new placeholder")
}
