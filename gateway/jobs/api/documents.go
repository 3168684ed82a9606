package api

import (
	"context"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/presigner"
)

// Signing says who signs the URLs of a job's document. It must be safe for concurrent use.
type Signing interface {
	// Skew is what to add to the request's clock to get AWS's time. It is quick.
	Skew() time.Duration
	// Grant returns who signs for a role at present, and how long a URL signed at that time (AWS's) may live that should
	// live for expires. A cold role may be waited for, not longer than ctx lives. An error is answered 503; one with a
	// method RetryAfterDelay() time.Duration says when to come back.
	Grant(ctx context.Context, roleARN string, expires time.Duration, at time.Time) (Grant, error)
}

// Grant is a role session's leave to sign.
type Grant struct {
	Signer   *presigner.Signer // its address identifies the session
	Lifetime time.Duration     // of the URLs; whole seconds
	Clamped  bool              // Lifetime is shorter than what was asked for, because the session ends
	Ends     time.Time         // when the session does, in AWS's time; zero: never
}

// Signed says what a rendering handed out, for the metrics.
type Signed struct {
	Fresh   int // URLs signed for this answer
	Reused  int // URLs of a rendering made for another
	Longest int // bytes of the longest fresh URL
}

// rendering is a document's state within one quantum: who signs, from when and for how long, and, unless the document
// differs from device to device, the document itself. It is immutable; any number of answers may copy its body.
type rendering struct {
	start   int64 // Unix seconds of AWS's time: when its URLs begin
	expires time.Duration
	grant   Grant
	body    []byte // nil: rendered per device
}

// slot holds a template's rendering of the present quantum.
type slot struct {
	offset  int64 // of its quanta's boundaries, so that not all templates render at once
	current atomic.Pointer[rendering]
}

// documents renders jobs' documents. What one device's request rendered is every device's document for the rest of
// the quantum: a presigned URL is a function of the second of signing. It is safe for concurrent use.
type documents struct {
	signing Signing
	timeout time.Duration // for a cold role
	quantum int64         // seconds, at least 1
	count   func(Signed)

	slots  sync.Map // *jobdoc.Template → *slot
	seed   maphash.Seed
	pruned atomic.Int64 // Unix seconds: when slots were last looked through
}

// pruneEvery is how often slots out of use are dropped, and how long after its quantum one is out of use, in seconds.
const pruneEvery = 60

// appendTo appends d as it stands for e's device; on an error, which is a 503, it returns dst as it was.
func (r *documents) appendTo(dst []byte, d *jobs.Document, e *jobs.Execution, now time.Time) ([]byte, error) {
	if !d.Template.Signs() {
		return d.Template.AppendTo(dst, &jobdoc.Context{})
	}
	m, fresh, err := r.moment(d, e, now.Add(r.signing.Skew()))
	if err != nil {
		return dst, err
	}
	// Fast path: what this quantum's first request rendered is every device's document.
	if m.body != nil {
		if !fresh {
			r.count(Signed{Reused: d.Template.Placeholders()})
		}
		return append(dst, m.body...), nil
	}
	// Slow path: local placeholders, signed for this device.
	return r.render(dst, d, e, m)
}

// moment returns the rendering of the present quantum, made by the first who asks; fresh if that is this call.
func (r *documents) moment(d *jobs.Document, e *jobs.Execution, at time.Time) (m *rendering, fresh bool, err error) {
	s := r.slot(d.Template, e.Job.ID)
	start, quantum := at.Unix(), min(r.quantum, max(1, int64(d.Expires/time.Second)/2)) // a URL keeps half of its life
	start -= (start + s.offset) % quantum
	m = s.current.Load()
	current := m != nil && m.start == start && m.expires == d.Expires && (m.grant.Ends.IsZero() || at.Before(m.grant.Ends))
	if current && !m.grant.Clamped {
		return m, false, nil
	}
	waiting, cancel := context.WithTimeout(context.Background(), r.timeout)
	defer cancel()
	grant, err := r.signing.Grant(waiting, d.RoleARN, d.Expires, time.Unix(start, 0))
	if err != nil {
		return nil, false, err
	}
	if current && grant.Signer == m.grant.Signer {
		return m, false, nil // clamped, and no longer session is to be had
	}
	m = &rendering{start: start, expires: d.Expires, grant: grant}
	if !d.Template.PerDevice() {
		if m.body, err = r.render(make([]byte, 0, d.Template.Size()), d, e, m); err != nil {
			return nil, false, err
		}
	}
	s.current.Store(m)
	r.slots.LoadOrStore(d.Template, s) // lost to another's: that one renders the same bytes
	r.prune(start)
	return m, true, nil
}

// render appends d as it stands for e's device, signed as m says.
func (r *documents) render(dst []byte, d *jobs.Document, e *jobs.Execution, m *rendering) ([]byte, error) {
	c := jobdoc.Context{Signer: m.grant.Signer, Expires: m.grant.Lifetime, Time: time.Unix(m.start, 0)}
	if d.Template.PerDevice() {
		x := scratches.Get().(*scratch)
		defer scratches.Put(x)
		x.thing = append(x.thing[:0], e.Thing...)
		x.job = append(x.job[:0], e.Job.ID...)
		x.number = strconv.AppendInt(x.number[:0], e.Number, 10)
		c.Values = jobdoc.Values{ThingName: x.thing, JobID: x.job, ExecutionNumber: x.number}
	}
	dst, err := d.Template.AppendTo(dst, &c)
	if err == nil {
		r.count(Signed{Fresh: c.Signed, Longest: c.LongestURL})
	}
	return dst, err
}

// scratch holds the values of local placeholders.
type scratch struct{ thing, job, number []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// slot returns a template's slot, a new one that is not kept yet if there is none.
func (r *documents) slot(t *jobdoc.Template, jobID string) *slot {
	if s, ok := r.slots.Load(t); ok {
		return s.(*slot)
	}
	offset := int64(maphash.String(r.seed, jobID) >> 1 % uint64(r.quantum))
	return &slot{offset: offset}
}

// prune drops the slots of templates that nobody has asked for in a while, such as those of jobs that are gone.
func (r *documents) prune(now int64) {
	last := r.pruned.Load()
	if now-last < pruneEvery || !r.pruned.CompareAndSwap(last, now) {
		return
	}
	r.slots.Range(func(t, s any) bool {
		if m := s.(*slot).current.Load(); m != nil && m.start+r.quantum+pruneEvery < now {
			r.slots.CompareAndDelete(t, s)
		}
		return true
	})
}
