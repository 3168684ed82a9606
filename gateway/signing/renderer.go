package signing

import (
	"bytes"
	"context"
	"sync"
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

// Quantum is how URLs are signed that begin with one quantum: by whom, from when and for how long. It is immutable, and
// templates of one role share it.
type Quantum struct {
	Begin, End int64 // Unix seconds: when its URLs begin, and when the next quantum does, or the session ends
	Grant      Grant

	role    string
	expires time.Duration // that were asked for
	signs   bool          // there is something to sign
}

// covers says whether o's URLs, which begin at begin, may be signed as q says.
func (q *Quantum) covers(o *Order, begin int64) bool {
	return q.Begin == begin && q.expires == o.Expires && o.At.Unix() < q.End
}

// Rendering is a template's state within one quantum: how it is signed and, where it is kept, the document itself. It is
// immutable; Body may be written to any number of connections.
type Rendering struct {
	*Quantum
	Body []byte // nil: to be rendered into the answer, see AppendTo
	ETag []byte // with Body, if the Renderer makes one
}

// Renderer renders templates. A presigned URL is a function of the second of signing, so who asks within one quantum gets
// the same bytes, whether the document was kept or is signed again. Documents that are asked for often are kept.
type Renderer struct {
	Authority Authority
	Quantum   time.Duration                 // whole seconds; below one is one
	Timeout   time.Duration                 // how long a request may wait for a cold role
	Count     func(Signed)                  // nil: nobody counts
	Tag       func(dst, body []byte) []byte // appends the ETag of a body; nil: none is made

	shared quanta
}

// Time returns AWS's time at now, the request's reading of the clock.
func (r *Renderer) Time(now time.Time) time.Time { return now.Add(r.Authority.Skew()) }

// Moment returns the rendering of o's present quantum, with its Body if s keeps that. resized says that s keeps more or
// less than before, see [Slot.Kept]. It allocates only what is kept, and a Quantum for all templates together.
func (r *Renderer) Moment(ctx context.Context, s *Slot, o *Order) (m Rendering, resized bool, err error) {
	length := r.quantum(o.Expires)
	begin := quantumOf(o.At, s.Offset, length)
	q := s.quantum.Load()
	if q == nil || !q.covers(o, begin) || q.Grant.Clamped {
		// Slow path: a quantum begins, or perhaps there is a session by now under which URLs live longer.
		present, err := r.present(ctx, o, begin, length)
		if err != nil {
			return Rendering{}, false, err
		}
		q, resized = s.turn(q, present, length)
	}
	// Fast path: what this quantum's requests share.
	if kept := s.kept.Load(); kept != nil && kept.Quantum == q {
		s.count()
		r.countReused(o)
		return *kept, resized, nil
	}
	if o.Template.PerDevice() || s.Current() != q || !s.worthKeeping() {
		return Rendering{Quantum: q}, resized, nil
	}
	made, err := r.render(q, o)
	if err != nil {
		return Rendering{}, resized, err
	}
	s.kept.Store(made)
	return *made, true, nil
}

// render returns a document that is to be kept, in no more memory than it takes.
func (r *Renderer) render(q *Quantum, o *Order) (*Rendering, error) {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	m := &Rendering{Quantum: q}
	var err error
	if *scratch, err = r.AppendTo((*scratch)[:0], *m, o); err != nil {
		return nil, err
	}
	m.Body = bytes.Clone(*scratch)
	if r.Tag != nil {
		m.ETag = r.Tag(nil, m.Body)
	}
	return m, nil
}

var scratches = sync.Pool{New: func() any { return new([]byte) }}

// AppendTo appends the document as it stands for o's device, signed as m says. On an error it returns dst as it was.
func (r *Renderer) AppendTo(dst []byte, m Rendering, o *Order) ([]byte, error) {
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

func (r *Renderer) countReused(o *Order) {
	if n := o.Template.Placeholders(); r.Count != nil && n > 0 {
		r.Count(Signed{Reused: n})
	}
}
