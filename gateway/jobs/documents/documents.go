// Package documents renders job documents for a device, with signed URLs, for HTTP and MQTT.
//
//	jobs.Document, jobs.Execution ──► Renderer.AppendTo ──► the document, escaped as the content of a JSON string
//	                                     └─ signing: the same bytes for all devices within a quantum, unless they differ
package documents

import (
	"context"
	"errors"
	"hash/maphash"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/signing"
)

// Renderer renders jobs' documents. It is safe for concurrent use.
type Renderer struct {
	signing signing.Renderer

	slots  sync.Map // *jobdoc.Template → *signing.Slot
	seed   maphash.Seed
	pruned atomic.Int64 // Unix seconds: when prune last ran
}

// Config is what a Renderer needs.
type Config struct {
	Authority signing.Authority    // by the roles' ARNs; nil: no document may hold a placeholder for S3
	Quantum   time.Duration        // presign.quantum: whole seconds; 0 is one
	Timeout   time.Duration        // how long a request may wait for a cold role; 0: 10 s
	Count     func(signing.Signed) // of URLs handed out, for metrics; nil: none
}

// New returns a Renderer for c.
func New(c Config) *Renderer {
	if c.Authority == nil {
		c.Authority = noRoles{}
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	return &Renderer{
		signing: signing.Renderer{Authority: c.Authority, Quantum: max(time.Second, c.Quantum), Timeout: c.Timeout, Count: c.Count},
		seed:    maphash.MakeSeed(),
	}
}

// noRoles is the Authority if there are no roles: it signs nothing.
type noRoles struct{}

func (noRoles) Skew() time.Duration { return 0 }

func (noRoles) Grant(context.Context, signing.Terms) (signing.Grant, error) {
	return signing.Grant{}, errors.New("no role may sign for jobs")
}

// AppendTo appends d as rendered for e's device, escaped as the content of a JSON string. On an error, a *edge.Fault of 503,
// it returns dst unchanged. now is the request's reading of the clock. AppendTo is bounded by its own timeout, not by the
// connection.
func (r *Renderer) AppendTo(dst []byte, d *jobs.Document, e *jobs.Execution, now time.Time) ([]byte, error) {
	if !d.Template.Signs() {
		return failed(d.Template.AppendTo(dst, &jobdoc.Context{}))
	}
	o := signing.Order{Template: d.Template, Role: d.RoleARN, Expires: d.Expires, At: r.signing.Time(now)}
	var x *scratch
	if d.Template.PerDevice() {
		x = scratches.Get().(*scratch)
		defer scratches.Put(x)
		o.Values = x.values(e)
	}
	s, kept := r.slot(d.Template, e.Job.ID)
	m, _, err := r.signing.Moment(context.Background(), s, &o)
	if err != nil {
		return failed(dst, err)
	}
	if !kept {
		r.slots.LoadOrStore(d.Template, s) // another goroutine's slot wins; it renders the same bytes
		r.prune(m.Begin)
	}
	// Fast path: a rendering that is often requested is kept for the rest of its quantum.
	if m.Body != nil {
		return append(dst, m.Body...), nil
	}
	// Slow path: signed for this device.
	return failed(r.signing.AppendTo(dst, m, &o))
}

// failed turns an error into the answer for the device: try again later. The execution does not change.
func failed(dst []byte, err error) ([]byte, error) {
	if err == nil {
		return dst, nil
	}
	f := &edge.Fault{
		Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable", Message: "The job document's URLs cannot be signed at present.",
		RetryAfter: signing.RetryAfter(err), Err: err,
	}
	var fault *jobdoc.Error
	if errors.As(err, &fault) {
		f.Message, f.RetryAfter = "The job document cannot be filled for this thing: "+fault.Text(), time.Minute
	}
	return dst, f
}

// scratch pools buffers for the values of local placeholders.
type scratch struct{ thing, job, number []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (x *scratch) values(e *jobs.Execution) jobdoc.Values {
	x.thing = append(x.thing[:0], e.Thing...)
	x.job = append(x.job[:0], e.Job.ID...)
	x.number = strconv.AppendInt(x.number[:0], e.Number, 10)
	return jobdoc.Values{ThingName: x.thing, JobID: x.job, ExecutionNumber: x.number}
}

// slot returns a template's slot; kept is false for a new one.
func (r *Renderer) slot(t *jobdoc.Template, jobID string) (s *signing.Slot, kept bool) {
	if s, ok := r.slots.Load(t); ok {
		return s.(*signing.Slot), true
	}
	return &signing.Slot{Offset: int64(maphash.String(r.seed, jobID) >> 33)}, false
}

// pruneEvery is how often unused slots are dropped, and after how long without a request a slot is unused, in seconds.
const pruneEvery = 60

// prune drops the slots of templates that were not requested for a while, such as those of deleted jobs.
func (r *Renderer) prune(now int64) {
	last := r.pruned.Load()
	if now-last < pruneEvery || !r.pruned.CompareAndSwap(last, now) {
		return
	}
	r.slots.Range(func(t, s any) bool {
		if m := s.(*signing.Slot).Current(); m != nil && m.End+pruneEvery < now {
			r.slots.CompareAndDelete(t, s)
		}
		return true
	})
}
