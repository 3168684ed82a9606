package signing

import (
	"bytes"
	"context"
	"sync"
	"time"

	"jobgate/gateway/jobdoc"
)

// Order is a request for a document.
type Order struct {
	Template *jobdoc.Template
	Role     string
	Expires  time.Duration
	At       time.Time     // the request's time, see Renderer.Time
	Values   jobdoc.Values // of local placeholders; used only if Template is PerDevice
}

// Signed counts the URLs of an answer, for the metrics.
type Signed struct {
	Fresh   int // URLs signed for it
	Reused  int // URLs from a kept rendering
	Longest int // bytes of the longest fresh URL
}

// Quantum is how the URLs of one quantum are signed: by whom, from when and for how long. It is immutable, and templates of
// one role share it.
type Quantum struct {
	Begin, End int64 // Unix seconds: when its URLs begin, and when the next quantum begins or the session ends
	Grant      Grant

	role    string
	expires time.Duration // as requested
	signs   bool          // there is something to sign
}

// covers reports whether o's URLs, which begin at begin, may be signed with q.
func (q *Quantum) covers(o *Order, begin int64) bool {
	return q.Begin == begin && q.expires == o.Expires && o.At.Unix() < q.End
}

// Rendering is a template's state within one quantum: how it is signed and, if requested very often, the document itself.
// It is immutable; Body may be written to any number of connections.
type Rendering struct {
	*Quantum
	Body []byte // nil: not shared, see AppendTo
	ETag []byte // with Body, if the Renderer makes one

	kept *kept // without Body: the buffer that AppendTo copies from, or fills; nil: none
}

// Copied reports whether AppendTo will most likely copy, not sign.
func (m *Rendering) Copied() bool { return m.kept != nil && m.kept.quantum.Load() == m.Quantum }

// Renderer renders templates. A presigned URL depends only on the second of signing, so all requests within one quantum get
// the same bytes, whether the document was kept or is signed again. Documents that are requested often are kept.
type Renderer struct {
	Authority Authority
	Quantum   time.Duration                 // whole seconds; at least one is used
	Timeout   time.Duration                 // how long a request may wait for a cold role
	Count     func(Signed)                  // nil: not counted
	Tag       func(dst, body []byte) []byte // appends the ETag of a body; nil: no ETag

	shared quanta
}

// Time returns AWS's time at now, the request's reading of the clock.
func (r *Renderer) Time(now time.Time) time.Time { return now.Add(r.Authority.Skew()) }

// Moment returns the rendering of o's current quantum, with its Body if s keeps it. resized says that [Slot.Kept] has
// changed. It allocates only what is kept, and one Quantum for all templates together.
func (r *Renderer) Moment(ctx context.Context, s *Slot, o *Order) (m Rendering, resized bool, err error) {
	length := r.quantum(o.Expires)
	begin := quantumOf(o.At, s.Offset, length)
	q := s.quantum.Load()
	if q == nil || !q.covers(o, begin) || q.Grant.Clamped {
		// Slow path: a quantum begins, or a new session may give URLs a longer life.
		present, err := r.present(ctx, o, begin, length)
		if err != nil {
			return Rendering{}, false, err
		}
		q, resized = s.turn(q, present, length)
	}
	// Fast path: the rendering that this quantum's requests share.
	k := s.kept.Load()
	if k != nil && k.shared != nil && k.shared.Quantum == q {
		s.countRequest()
		r.countReused(o)
		return *k.shared, resized, nil
	}
	if o.Template.PerDevice() || s.Current() != q {
		return Rendering{Quantum: q}, resized, nil
	}
	requests := s.countRequest()
	if requests >= shareFrom || s.before.Load() >= shareFrom {
		made, err := r.render(q, o)
		if err != nil {
			return Rendering{}, resized, err
		}
		s.kept.Store(share(made))
		return *made, true, nil
	}
	if requests >= keepFrom && (k == nil || k.shared != nil) {
		k = new(kept)
		s.kept.Store(k)
	}
	if k == nil || k.shared != nil {
		return Rendering{Quantum: q}, resized, nil
	}
	if k.resized.Load() {
		resized = k.resized.Swap(false) || resized
	}
	return Rendering{Quantum: q, kept: k}, resized, nil
}

// render returns a document to keep, in a buffer of exactly its size.
func (r *Renderer) render(q *Quantum, o *Order) (*Rendering, error) {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	m := &Rendering{Quantum: q}
	var err error
	if *scratch, err = r.sign((*scratch)[:0], *m, o); err != nil {
		return nil, err
	}
	m.Body = bytes.Clone(*scratch)
	if r.Tag != nil {
		m.ETag = r.Tag(nil, m.Body)
	}
	return m, nil
}

var scratches = sync.Pool{New: func() any { return new([]byte) }}

// AppendTo appends the document for o's device, signed as m says. On an error it returns dst unchanged.
func (r *Renderer) AppendTo(dst []byte, m Rendering, o *Order) ([]byte, error) {
	if m.kept != nil {
		// Fast path: signed already in this quantum.
		dst, ok := m.kept.appendTo(dst, m.Quantum)
		if ok {
			r.countReused(o)
			return dst, nil
		}
	}
	start := len(dst)
	dst, err := r.sign(dst, m, o)
	if err == nil && m.kept != nil && m.kept.filling.TryLock() {
		m.kept.fill(m.Quantum, dst[start:])
		m.kept.filling.Unlock()
	}
	return dst, err
}

// sign is AppendTo without the buffer.
func (r *Renderer) sign(dst []byte, m Rendering, o *Order) ([]byte, error) {
	c := jobdoc.Context{Signer: m.Grant.Signer, Expires: m.Grant.Lifetime, Time: time.Unix(m.Begin, 0), Values: o.Values}
	dst, err := o.Template.AppendTo(dst, &c)
	if err == nil {
		r.CountFresh(&c)
	}
	return dst, err
}

// Once returns how to sign text that has no template in the cache, as on fill routes. It ignores o.Template. Call CountFresh
// afterwards.
func (r *Renderer) Once(ctx context.Context, o *Order) (jobdoc.Context, error) {
	begin := quantumOf(o.At, 0, r.quantum(o.Expires))
	g, err := r.grant(ctx, o, begin)
	return jobdoc.Context{Signer: g.Signer, Expires: g.Lifetime, Time: time.Unix(begin, 0), Values: o.Values}, err
}

// grant asks the authority who signs URLs that begin at begin.
func (r *Renderer) grant(ctx context.Context, o *Order, begin int64) (Grant, error) {
	return r.Authority.Grant(ctx, Terms{Role: o.Role, Expires: o.Expires, Begin: time.Unix(begin, 0), Now: o.At, Wait: r.Timeout})
}

// quantum returns the length of quanta in seconds, at most half of expires, the life of the URLs.
func (r *Renderer) quantum(expires time.Duration) int64 {
	return max(1, min(int64(r.Quantum/time.Second), int64(expires/time.Second)/2))
}

// quantumOf returns the begin of the quantum that contains t, in Unix seconds.
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

func (r *Renderer) countReused(o *Order) {
	if n := o.Template.Placeholders(); r.Count != nil && n > 0 {
		r.Count(Signed{Reused: n})
	}
}
