package signing

import (
	"context"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobdoc"
)

// Order is a document that is asked for.
type Order struct {
	Template *jobdoc.Template
	Role     string
	Expires  time.Duration
	At       time.Time     // the request's time, see Renderer.Time
	Values   jobdoc.Values // of local placeholders; nobody looks at them unless Template is PerDevice
}

// Signed says what an answer handed out, for the metrics.
type Signed struct {
	Fresh   int // URLs signed for it
	Reused  int // URLs of a rendering made for another
	Longest int // bytes of the longest fresh URL
}

// Rendering is a template's state within one quantum: who signs, from when and for how long, and, unless the document
// differs from device to device, the document itself. It is immutable; Body may be written to any number of connections.
type Rendering struct {
	Begin, End int64 // Unix seconds: when its URLs begin, and when the next rendering is due
	Grant      Grant
	Body       []byte // nil: rendered per device
	ETag       []byte // with Body, if the Renderer makes one

	expires time.Duration // that were asked for
}

// Slot holds a template's rendering of the present quantum. Its zero value is ready.
type Slot struct {
	Offset  int64 // seconds by which its quanta begin off the round ones, so that not all templates render at once; ≥ 0
	current atomic.Pointer[Rendering]
}

// Current returns the last rendering, nil if there is none yet.
func (s *Slot) Current() *Rendering { return s.current.Load() }

// Renderer renders templates, each once a quantum. What one device's request rendered is every device's document for the
// rest of the quantum: a presigned URL is a function of the second of signing.
type Renderer struct {
	Authority Authority
	Quantum   time.Duration                 // whole seconds; below one is one
	Timeout   time.Duration                 // how long a request may wait for a cold role
	Count     func(Signed)                  // nil: nobody counts
	Tag       func(dst, body []byte) []byte // appends the ETag of a body; nil: none is made
}

// Time returns AWS's time at now, the request's reading of the clock.
func (r *Renderer) Time(now time.Time) time.Time { return now.Add(r.Authority.Skew()) }

// Moment returns the rendering of o's present quantum, made by the first who asks; fresh if that is this call.
func (r *Renderer) Moment(ctx context.Context, s *Slot, o *Order) (m *Rendering, fresh bool, err error) {
	quantum := r.quantum(o.Expires)
	begin := quantumOf(o.At, s.Offset, quantum)
	m = s.current.Load()
	current := m != nil && m.Begin == begin && m.expires == o.Expires && o.At.Unix() < m.End
	// Fast path: what this quantum's first request rendered, or how it is to be signed.
	if current && !m.Grant.Clamped {
		r.countReused(m, o)
		return m, false, nil
	}
	// Slow path: a quantum begins, or perhaps there is a session by now under which URLs live longer.
	made := &Rendering{Begin: begin, End: begin + quantum, expires: o.Expires}
	if o.Template.Signs() {
		if made.Grant, err = r.grant(ctx, o, begin); err != nil {
			return nil, false, err
		}
		if ends := made.Grant.Ends; !ends.IsZero() {
			made.End = min(made.End, ends.Unix())
		}
	}
	if current && made.Grant.Signer == m.Grant.Signer {
		r.countReused(m, o)
		return m, false, nil // no other session
	}
	if !o.Template.PerDevice() {
		if made.Body, err = r.AppendTo(make([]byte, 0, o.Template.Size()), made, o); err != nil {
			return nil, false, err
		}
		if r.Tag != nil {
			made.ETag = r.Tag(nil, made.Body)
		}
	}
	s.current.Store(made)
	return made, true, nil
}

// AppendTo appends the document as it stands for o's device, signed as m says. On an error it returns dst as it was.
func (r *Renderer) AppendTo(dst []byte, m *Rendering, o *Order) ([]byte, error) {
	c := jobdoc.Context{Signer: m.Grant.Signer, Expires: m.Grant.Lifetime, Time: time.Unix(m.Begin, 0), Values: o.Values}
	dst, err := o.Template.AppendTo(dst, &c)
	if err == nil {
		r.CountFresh(&c)
	}
	return dst, err
}

// Once returns how to sign what is no kept template's: text that is filled as it passes. o.Template is not looked at.
// CountFresh is to be told when it is done.
func (r *Renderer) Once(ctx context.Context, o *Order) (jobdoc.Context, error) {
	begin := quantumOf(o.At, 0, r.quantum(o.Expires))
	g, err := r.grant(ctx, o, begin)
	return jobdoc.Context{Signer: g.Signer, Expires: g.Lifetime, Time: time.Unix(begin, 0), Values: o.Values}, err
}

// grant asks the authority who signs URLs that begin at begin.
func (r *Renderer) grant(ctx context.Context, o *Order, begin int64) (Grant, error) {
	return r.Authority.Grant(ctx, Terms{Role: o.Role, Expires: o.Expires, Begin: time.Unix(begin, 0), Now: o.At, Wait: r.Timeout})
}

// quantum returns the length of the quanta of URLs that live for expires, in seconds: a URL keeps half of its life.
func (r *Renderer) quantum(expires time.Duration) int64 {
	return max(1, min(int64(r.Quantum/time.Second), int64(expires/time.Second)/2))
}

// quantumOf returns when the quantum of that length and offset began in which t is, in Unix seconds.
func quantumOf(t time.Time, offset, quantum int64) int64 {
	now := t.Unix()
	return now - (now+offset%quantum)%quantum
}

// CountFresh counts the URLs that c has signed.
func (r *Renderer) CountFresh(c *jobdoc.Context) {
	if r.Count != nil && c.Signed > 0 {
		r.Count(Signed{Fresh: c.Signed, Longest: c.LongestURL})
	}
}

func (r *Renderer) countReused(m *Rendering, o *Order) {
	if n := o.Template.Placeholders(); r.Count != nil && m.Body != nil && n > 0 {
		r.Count(Signed{Reused: n})
	}
}
