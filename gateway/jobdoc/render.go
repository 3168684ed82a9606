package jobdoc

import (
	"sync"
	"time"

	"jobgate/gateway/target"
	"jobgate/presigner"
)

// Context holds the inputs of a rendering besides the document, and its counters. It
// must not be shared between goroutines.
type Context struct {
	Signer  *presigner.Signer // nil: a document with URLs is refused with ErrNoSigner
	Expires time.Duration     // the lifetime of its URLs, 1 s … 7 days
	Time    time.Time         // when they begin to be valid
	Values  Values            // of local placeholders
	Memo    *presigner.Memo   // remembers URLs that many documents share; nil: each is signed

	// Counters that each rendering adds to, even if it fails.
	Signed     int // URLs signed
	LongestURL int // bytes of the longest URL so far
}

// renderScratch is the scratch space of a rendering.
type renderScratch struct {
	key      []byte
	path     []byte
	resource []byte
}

var renderScratches = sync.Pool{New: func() any { return new(renderScratch) }}

// AppendTo appends the document, its URLs signed for c, and returns the extended
// slice; on an error, an *Error, it returns dst unchanged. It allocates only to grow
// dst. It is safe for concurrent use, with a Context each.
func (t *Template) AppendTo(dst []byte, c *Context) ([]byte, error) {
	start, from := len(dst), 0
	for i := range t.holes {
		h := &t.holes[i]
		dst = append(dst, t.text[from:h.at]...)
		from = h.at
		var err *Error
		if dst, err = t.appendHole(dst, h, c); err == nil {
			err = checkRendered(len(dst)-start, t.maxRendered)
		}
		if err != nil {
			return dst[:start], h.place(err)
		}
	}
	dst = append(dst, t.text[from:]...)
	if err := checkRendered(len(dst)-start, t.maxRendered); err != nil {
		return dst[:start], err
	}
	return dst, nil
}

func (t *Template) appendHole(dst []byte, h *urlHole, c *Context) ([]byte, *Error) {
	if len(h.marks) == 0 {
		return c.appendURL(dst, h.method, &h.target, nil)
	}
	x := renderScratches.Get().(*renderScratch)
	defer renderScratches.Put(x)
	if err := t.fillPath(x, h, c); err != nil {
		return dst, err
	}
	return c.appendURL(dst, h.method, &h.target, x.path)
}

// fillPath inserts a device's values into the path of a URL and checks the resulting
// key.
func (t *Template) fillPath(x *renderScratch, h *urlHole, c *Context) *Error {
	x.path = x.path[:0]
	from, keyBytes := 0, h.keyBytes
	for _, m := range h.marks {
		value, err := c.Values.get(m.name)
		if err != nil {
			return err
		}
		keyBytes += len(value)
		x.path = append(x.path, h.target.Path[from:m.at]...)
		x.path = presigner.AppendEscapedKey(x.path, value)
		from = m.at
	}
	x.path = append(x.path, h.target.Path[from:]...)
	if keyBytes > presigner.MaxKeyBytes {
		return keyTooLong(keyBytes)
	}
	if !h.ask {
		return nil
	}
	x.resource = appendResource(x.resource[:0], h.endpoint, h.bucket)
	x.resource, _ = target.AppendDecoded(x.resource, x.path[h.keyAt:])
	if !t.policy.allows(h.method, h.endpoint, h.target.Region, x.resource) {
		return t.policy.refusal(h.method, h.endpoint, h.target.Region, x.resource)
	}
	return nil
}

func keyTooLong(n int) *Error {
	e := urlError("the key has %d bytes with this device's values, S3's limit is %d", n, presigner.MaxKeyBytes)
	e.Err = ErrValue
	return e
}

// appendURL signs one URL. path replaces the target's, if not nil.
func (c *Context) appendURL(dst []byte, m presigner.Method, target *presigner.Target, path []byte) ([]byte, *Error) {
	if c.Signer == nil {
		return dst, noSigner()
	}
	before := len(dst)
	r := presigner.Request{Method: m, Target: target, Path: path, Expires: c.Expires, Time: c.Time}
	var err error
	if c.Memo != nil {
		dst, err = c.Memo.AppendURL(dst, c.Signer, &r)
	} else {
		dst, err = c.Signer.AppendURL(dst, &r)
	}
	if err != nil {
		e := requestError("Cannot presign the URL of a placeholder")
		e.Detail, e.Err = err.Error(), err
		return dst, e
	}
	c.Signed++
	c.LongestURL = max(c.LongestURL, len(dst)-before)
	return dst, nil
}

func noSigner() *Error {
	e := requestError(textNoRole)
	e.Err = ErrNoSigner
	return e
}
