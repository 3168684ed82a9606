package jobdoc

import (
	"sync"

	"jobgate/presigner"

	"jobgate/gateway/jobdoc/jsontext"
)

// Fill appends doc with its placeholders filled. It does the work of Parse and AppendTo
// in one pass, for a document that is used once. It returns the extended dst, or dst
// unchanged on an error, an *Error. doc must not overlap dst's spare capacity. Fill
// retains nothing, and allocates only to grow dst once it has seen the hosts and
// versions in use. It is safe for concurrent use, with a Context each. A nil o means
// the zero Options.
func Fill(dst, doc []byte, o *Options, c *Context) ([]byte, error) {
	o = o.orDefault()
	f := fillers.Get().(*filler)
	f.dst, f.start, f.options, f.context = dst, len(dst), o, c
	err := f.fill(doc)
	filled := f.dst
	f.dst, f.options, f.context = nil, nil, nil
	fillers.Put(f)
	if err != nil {
		return filled[:len(dst)], err
	}
	return filled, nil
}

// filler is the sink of Fill, with its scratch.
type filler struct {
	dst     []byte
	start   int // of the document in dst
	options *Options
	context *Context
	target  presigner.Target
	renderScratch
}

var fillers = sync.Pool{New: func() any { return new(filler) }}

func (f *filler) fill(doc []byte) *Error {
	w := newWalker(doc, f.options, f)
	defer w.free()
	if err := w.walk(); err != nil {
		return err
	}
	if w.parameters && Scan(f.dst[f.start:]) >= 0 {
		return seamError()
	}
	return checkRendered(len(f.dst)-f.start, f.options.maxRendered())
}

func (f *filler) literal(text []byte, escapes int) {
	f.dst = jsontext.AppendEscaped(f.dst, text, escapes)
}

func (f *filler) object(o *object) *Error {
	key, err := f.keyOf(o)
	if err != nil {
		return err
	}
	if err := f.options.Policy.checkSegments(o); err != nil {
		return err
	}
	r := f.options.resolver()
	region := r.RegionOf(o.endpoint, o.bucket)
	f.resource = append(appendResource(f.resource[:0], o.endpoint, o.bucket), key...)
	if !f.options.Policy.allows(o.method, o.endpoint, region, f.resource) {
		return f.options.Policy.refusal(o.method, o.endpoint, region, f.resource)
	}
	f.path = presigner.AppendEscapedKey(appendPathPrefix(f.path[:0], o.endpoint, o.bucket), key)
	at := r.Located(o.endpoint, region)
	f.target = presigner.Target{Origin: at.Origin, Host: at.Host, Region: region, Version: r.EscapedVersion(o.version)}
	if f.dst, err = f.context.appendURL(f.dst, o.method, &f.target, f.path); err != nil {
		return err
	}
	return checkRendered(len(f.dst)-f.start, f.options.maxRendered())
}

// keyOf returns the object's key with the device's values inserted.
func (f *filler) keyOf(o *object) ([]byte, *Error) {
	if len(o.marks) == 0 {
		return o.key, nil
	}
	f.key = f.key[:0]
	from := 0
	for _, m := range o.marks {
		value, err := f.context.Values.get(m.name)
		if err != nil {
			return nil, err
		}
		f.key = append(append(f.key, o.key[from:m.at]...), value...)
		from = m.at
	}
	f.key = append(f.key, o.key[from:]...)
	if len(f.key) > presigner.MaxKeyBytes {
		return nil, keyTooLong(len(f.key))
	}
	return f.key, nil
}
