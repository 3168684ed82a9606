package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/wire"
	"jobgate/gateway/tracing"
)

// Service is the part of the IoT Jobs service that is needed here; operations.Service implements it.
type Service interface {
	GetPendingIn(ctx context.Context, thing string, namespace jobs.Namespace, buf []jobs.Execution) (jobs.PendingExecutions, error)
	Describe(ctx context.Context, r jobs.DescribeExecutionRequest) (d jobs.Described, found bool, err error)
	StartNext(ctx context.Context, now time.Time, r jobs.StartNextRequest) (d jobs.Described, found bool, err error)
	Update(ctx context.Context, now time.Time, r jobs.UpdateExecutionRequest) (jobs.Described, error)
}

// Documents renders jobs' documents, their URLs signed.
type Documents interface {
	// AppendDocument appends d rendered for e's device, escaped as a JSON string; on an error it returns dst unchanged.
	AppendDocument(dst []byte, d *jobs.Document, e *jobs.Execution, now time.Time) ([]byte, error)
}

// Config configures a Dispatcher.
type Config struct {
	Service   Service       // required
	Documents Documents     // required
	Timeout   time.Duration // how long a change may wait for the store; 0: 10 s
	Log       *slog.Logger  // nil: discards

	Tracer *tracing.Tracer // nil: requests have no spans
}

// Dispatcher answers devices' requests. It is safe for concurrent use.
type Dispatcher struct {
	service   Service
	documents Documents
	timeout   time.Duration
	log       *slog.Logger
	tracer    *tracing.Tracer
}

// New returns a Dispatcher.
func New(c Config) (*Dispatcher, error) {
	if c.Service == nil || c.Documents == nil {
		return nil, errors.New("cannot answer devices: no jobs service, or no document renderer")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Dispatcher{service: c.Service, documents: c.Documents, timeout: c.Timeout, log: c.Log, tracer: c.Tracer}, nil
}

// Request is one message of a device.
type Request struct {
	Thing   string // of the device; Topic.Thing is ignored
	Topic   Topic
	Payload []byte
	Now     time.Time
	Limit   int // longest payload of the answer, in bytes; 0: none

	Sender tracing.Context // the sender's span, from the message; used only with a Tracer
}

// exchange is the scratch space of one request, pooled.
type exchange struct {
	*Request
	ctx     context.Context // with the request's span, if it has one; never cancelled
	d       *Dispatcher
	in      input
	pending []jobs.Execution
	found   jobs.Described
	out     []byte // the answer to a change, rendered before the change is made
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// maxKept bounds the buffer that a pooled exchange keeps, in bytes.
const maxKept = 64 << 10

func (x *exchange) release() {
	clear(x.pending[:cap(x.pending)])
	if cap(x.out) > maxKept {
		x.out = nil
	}
	*x = exchange{pending: x.pending[:0], out: x.out[:0]}
	exchanges.Put(x)
}

// Answer executes r and appends the payload of the answer, which goes to …/accepted if the code is Accepted, else to
// …/rejected.
func (d *Dispatcher) Answer(dst []byte, r *Request) ([]byte, Code) {
	if d.tracer != nil {
		return d.traced(dst, r)
	}
	return d.answer(context.Background(), dst, r)
}

func (d *Dispatcher) answer(ctx context.Context, dst []byte, r *Request) ([]byte, Code) {
	x := exchanges.Get().(*exchange)
	defer x.release()
	x.Request, x.ctx, x.d = r, ctx, d
	before := len(dst)
	dst, err := x.answer(dst)
	if err == nil {
		if err = x.fits(len(dst) - before); err == nil {
			return dst, Accepted
		}
	}
	rejected := rejectionOf(err)
	d.logRejection(r, rejected)
	return x.appendRejection(dst[:before], rejected), rejected.code
}

// answer is one request, top to bottom.
func (x *exchange) answer(dst []byte) (_ []byte, err error) {
	if x.Topic.Operation == Unknown {
		return dst, fault(InvalidTopic, "Requests cannot be sent to this topic.")
	}
	if x.in, err = read(x.Payload); err != nil {
		return dst, err
	}
	next := x.Topic.Operation == Describe && string(x.Topic.Job) == jobs.Next
	if job := x.Topic.Job; job != nil && !next && !wire.IsName(job, wire.MaxJobID, false) {
		return dst, invalid("The job id is not of the pattern [a-zA-Z0-9_-]{1,64}.")
	}
	switch x.Topic.Operation {
	case GetPending:
		return x.getPending(dst)
	case Describe:
		return x.describe(dst)
	case StartNext:
		return x.startNext(dst)
	default:
		return x.update(dst)
	}
}

// namespace selects the jobs of the topic's namespace, or those without one.
func (x *exchange) namespace() jobs.Namespace {
	return jobs.Namespace{ID: string(x.Topic.Namespace), Only: true}
}

func (x *exchange) jobID() string {
	if string(x.Topic.Job) == jobs.Next {
		return jobs.Next
	}
	return string(x.Topic.Job)
}

// fits returns an error for an answer that is too large for the device.
func (x *exchange) fits(n int) error {
	if x.Limit > 0 && n > x.Limit {
		return invalid(fmt.Sprintf("The answer has %d bytes, and the client's Maximum Packet Size leaves room for %d.", n, x.Limit))
	}
	return nil
}

func (x *exchange) getPending(dst []byte) ([]byte, error) {
	p, err := x.d.service.GetPendingIn(x.ctx, x.Thing, x.namespace(), x.pending[:0])
	if err != nil {
		return dst, err
	}
	x.pending = p.Buffer()
	return x.appendEnd(append(wire.AppendPending(dst, &p), ',')), nil
}

func (x *exchange) describe(dst []byte) (_ []byte, err error) {
	var found bool
	x.found, found, err = x.d.service.Describe(x.ctx, jobs.DescribeExecutionRequest{
		Thing: x.Thing, JobID: x.jobID(), Number: x.in.number.value, Document: x.in.document.or(true), Namespace: x.namespace(),
	})
	if err != nil {
		return dst, err
	}
	if !found {
		return x.appendEnd(append(dst, '{')), nil
	}
	if dst, err = x.d.appendExecution(append(dst, '{'), &x.found, x.Now); err != nil {
		return dst, err
	}
	return x.appendEnd(append(dst, ',')), nil
}

// appendExecution appends the member execution, with its document if there is one.
func (d *Dispatcher) appendExecution(dst []byte, described *jobs.Described, now time.Time) ([]byte, error) {
	dst = wire.AppendExecution(append(dst, `"execution":`...), &described.Execution, now)
	if described.Document.Template != nil {
		var err error
		if dst, err = d.appendDocument(append(dst, ','), described, now); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// appendDocument appends the member jobDocument, an object.
func (d *Dispatcher) appendDocument(dst []byte, described *jobs.Described, now time.Time) ([]byte, error) {
	dst = append(dst, `"jobDocument":`...)
	begin := len(dst)
	dst, err := d.documents.AppendDocument(dst, &described.Document, &described.Execution, now)
	if err != nil {
		return dst, unrendered(err)
	}
	return dst[:begin+len(unescape(dst[begin:]))], nil
}

// startNext starts the next execution. The answer is rendered before, so that nothing is started if it cannot be signed or is
// too large for the device.
func (x *exchange) startNext(dst []byte) ([]byte, error) {
	step, err := x.in.stepMinutes(1)
	if err != nil {
		return dst, err
	}
	waiting, cancel := context.WithTimeout(x.ctx, x.d.timeout)
	defer cancel()
	_, found, err := x.d.service.StartNext(waiting, x.Now, jobs.StartNextRequest{
		Thing: x.Thing, Details: x.in.details, StepMinutes: step, Namespace: x.namespace(),
		Before: func(described *jobs.Described) (err error) {
			if x.out, err = x.d.appendExecution(append(x.out[:0], '{'), described, x.Now); err != nil {
				return err
			}
			x.out = x.appendEnd(append(x.out, ','))
			return x.fits(len(x.out))
		},
	})
	if err != nil {
		return dst, err
	}
	if !found {
		return x.appendEnd(append(dst, '{')), nil
	}
	return append(dst, x.out...), nil
}

// update stores a report. Its answer is rendered before.
func (x *exchange) update(dst []byte) ([]byte, error) {
	status, ok := jobs.ParseStatus(string(x.in.status))
	if !ok {
		return dst, invalid("status must be one of IN_PROGRESS, SUCCEEDED, FAILED and REJECTED.")
	}
	step, err := x.in.stepMinutes(-1)
	if err != nil {
		return dst, err
	}
	expected := x.in.expectedVersion()
	waiting, cancel := context.WithTimeout(x.ctx, x.d.timeout)
	defer cancel()
	_, err = x.d.service.Update(waiting, x.Now, jobs.UpdateExecutionRequest{
		Thing: x.Thing, JobID: x.jobID(), Number: x.in.number.value, Status: status, Details: x.in.details,
		ExpectedVersion: expected, StepMinutes: step, Document: x.in.document.or(false), Namespace: x.namespace(),
		Before: x.renderUpdated,
	})
	var conflict *jobs.Error
	if errors.As(err, &conflict) && errors.Is(err, jobs.ErrVersionConflict) && conflict.Execution != nil {
		message := fmt.Sprintf("Expected version %d but found version %d", x.in.expected.value, conflict.Execution.Version) // AWS's words
		return dst, &rejection{code: VersionMismatch, message: message, state: conflict.Execution}
	}
	if err != nil {
		return dst, err
	}
	return append(dst, x.out...), nil
}

// renderUpdated renders the answer to an update.
func (x *exchange) renderUpdated(described *jobs.Described) (err error) {
	x.out = append(x.out[:0], '{')
	if x.in.state.or(false) {
		x.out = append(wire.AppendState(append(x.out, `"executionState":`...), &described.Execution), ',')
	}
	if described.Document.Template != nil {
		if x.out, err = x.d.appendDocument(x.out, described, x.Now); err != nil {
			return err
		}
		x.out = append(x.out, ',')
	}
	x.out = x.appendEnd(x.out)
	return x.fits(len(x.out))
}

// appendEnd appends the members that every answer has, and closes it.
func (x *exchange) appendEnd(dst []byte) []byte {
	return append(x.appendTimeAndToken(dst), '}')
}

func (x *exchange) appendTimeAndToken(dst []byte) []byte {
	dst = appendTimestamp(dst, x.Now)
	if x.in.token != nil {
		dst = append(append(dst, `,"clientToken":`...), x.in.token...)
	}
	return dst
}

// appendRejection appends the payload of …/rejected.
func (x *exchange) appendRejection(dst []byte, r *rejection) []byte {
	dst = append(append(append(dst, `{"code":"`...), r.code.String()...), `","message":`...)
	dst = append(wire.AppendString(dst, r.message), ',')
	if r.state != nil {
		dst = append(wire.AppendState(append(dst, `"executionState":`...), r.state), ',')
	}
	return x.appendEnd(dst)
}

func (d *Dispatcher) logRejection(r *Request, rejected *rejection) {
	level := slog.LevelDebug
	if rejected.code == InternalError {
		level = slog.LevelWarn
	}
	if !d.log.Enabled(context.Background(), level) {
		return
	}
	d.log.LogAttrs(context.Background(), level, "mqtt: request rejected", slog.String("operation", r.Topic.Operation.String()),
		slog.String("thing", r.Thing), slog.String("job", string(r.Topic.Job)), slog.String("error", rejected.Error()))
}
