package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"

	"github.com/valyala/fasthttp"
)

// arrival is a request to send: a step of a flow for a thing.
type arrival struct {
	due      time.Duration
	flow     int
	step     int
	thing    uint32
	job      uint32
	captured [][]byte // what the flow's earlier steps captured
}

// worker is one connection of a run and the goroutine that uses it. An exchange allocates nothing.
type worker struct {
	run           *run
	id            int
	rng           *rand.Rand
	conn          *conn
	current       atomic.Pointer[conn] // conn, for closing it from elsewhere
	br            *bufio.Reader
	resp          fasthttp.Response
	out           []byte
	scratch       []byte
	values        plan.Values
	free          time.Duration // when the connection became free
	dialled       bool          // a connection was open before
	connectFailed bool          // the last request could not connect
	judged        uint64        // answers checked
	device        *device       // of a run over MQTT, else nil
	last          remembered
}

func newWorker(r *run, id int) *worker {
	w := &worker{
		run: r, id: id, rng: rand.New(rand.NewPCG(r.plan.Seed, uint64(id)+0x776f726b)),
		br: bufio.NewReaderSize(nil, answer.HeaderLimit),
	}
	w.values.Plan = r.plan
	w.resp.Header.DisableNormalizing()
	if r.plan.MQTT() {
		w.device = newDevice(r, id)
	}
	return w
}

// do sends an arrival's step, and the steps after it without think time. It returns
// the next step if it has a think time, which its due time includes. A flow ends at the
// latest with the run.
func (w *worker) do(a arrival) (next arrival, more bool) {
	flow := &w.run.flows[a.flow]
	for {
		step := &flow.Steps[a.step]
		if step.Captures() && a.captured == nil {
			a.captured = make([][]byte, flow.Captures)
		}
		if !w.request(&a, step) || a.step+1 == len(flow.Steps) {
			return arrival{}, false
		}
		a.step++
		following := &flow.Steps[a.step]
		for _, slot := range following.Request.Captured {
			if a.captured[slot] == nil {
				w.run.recorder.skip(a.due, int64(len(flow.Steps)-a.step))
				return arrival{}, false
			}
		}
		think := following.Wait(w.rng)
		if a.due = w.free + think; a.due >= w.run.end {
			return arrival{}, false
		}
		if think > 0 {
			return a, true
		}
		w.run.countDue(a.due, true)
	}
}

// request sends one step and records the outcome.
func (w *worker) request(a *arrival, step *plan.CompiledStep) bool {
	s := sample{op: step.Op, due: a.due, free: w.free, sent: a.due} // in a closed loop it is due now
	if w.run.dispatcher != nil {
		s.sent = w.run.clock.now()
	}
	w.values.Thing, w.values.Job, w.values.Captured = a.thing, a.job, a.captured
	closing := w.run.plan.KeepAlive < 1 && w.rng.Float64() >= w.run.plan.KeepAlive
	if w.device != nil {
		w.publish(step.Request)
	} else {
		w.out, w.scratch = step.Request.AppendTo(w.out[:0], w.scratch, &w.values, closing)
	}
	w.exchange(step, &s)
	s.done = w.run.clock.now()
	w.free = s.done
	if s.kind == answer.Good {
		if step.Captures() {
			step.Take(w.resp.Body(), a.captured)
		}
		w.run.verifier.Offer(w.resp.Body(), s.done)
	}
	if w.conn != nil && (closing || w.resp.ConnectionClose()) {
		w.drop()
	}
	w.run.record(w.id, &s)
	return s.kind == answer.Good
}

// exchange sends the request in w.out and reads its answer, on a new connection if
// there is none or if the old one turns out to have been closed by the target, which
// it may do at any time between two requests (RFC 9112 §9.3.1).
func (w *worker) exchange(step *plan.CompiledStep, s *sample) {
	if after := w.run.plan.ReconnectAfter; w.conn != nil && after > 0 && s.sent-w.conn.opened > after {
		w.drop()
	}
	if w.conn != nil && w.device == nil && w.ended(s.sent) { // a device receives notifications at any time
		w.drop() // nothing was sent on it, so the request uses a new one, whatever its method
	}
	for {
		if w.conn == nil {
			s.reopened = s.reopened || w.dialled
			s.err = w.connect(w.run.hard, s.sent)
			if w.connectFailed = s.err != nil; w.connectFailed {
				s.kind = answer.ConnectKind(s.err)
				return
			}
		}
		c, before, sent := w.conn, w.conn.in, w.conn.out
		err := w.roundTrip(step, s)
		s.in += c.in - before
		s.out += c.out - sent
		if err == nil && w.device != nil {
			c.answers++
			s.kind, s.err = w.judgeMessage()
			return
		}
		if err == nil {
			s.status = w.resp.StatusCode()
			c.answers++
			if s.kind, s.err = w.unpack(); s.err == nil {
				s.kind, s.err = w.judge(step)
			}
			s.shed = s.kind == answer.WrongStatus && answer.Shed(&w.resp)
			return
		}
		w.drop()
		s.kind, s.err = answer.ExchangeKind(err, c.in > before), err
		stale := s.kind == answer.Closed && c.opened < s.sent && step.Idempotent() // opened before this request
		if !stale {
			return
		}
	}
}

// quiet is the silence after which a request first checks whether the target has closed the connection or sent something:
// the check takes a system call, which busy connections save.
const quiet = time.Millisecond

// ended reports whether the target has closed the connection since its last answer, or has sent something without a request,
// which also ends it.
func (w *worker) ended(now time.Duration) bool {
	c := w.conn
	if c.answers > 0 && now-max(w.free, c.opened) < quiet {
		return false
	}
	return c.extend(now, w.run.plan.Timeout) == nil && c.unsolicited()
}

// roundTrip writes w.out and reads an answer into w.resp.
func (w *worker) roundTrip(step *plan.CompiledStep, s *sample) error {
	c := w.conn
	if err := c.extend(s.sent, w.run.plan.Timeout); err != nil {
		return err
	}
	if err := c.send(w.out); err != nil {
		// The target's last answer says more than a broken pipe.
		if _, readErr := w.br.Peek(1); readErr != nil && answer.ExchangeKind(readErr, false) == answer.TLSFailed {
			return readErr
		}
		return err
	}
	if w.device != nil {
		return w.awaitAnswer()
	}
	w.resp.SkipBody = step.Request.Method == "HEAD"
	if err := w.resp.ReadLimitBody(w.br, w.run.plan.MaxBody); err != nil {
		if c.failed != nil {
			return c.failed
		}
		return err
	}
	if w.br.Buffered() > 0 {
		return answer.ErrTrailing
	}
	return nil
}

// unpack decompresses a body.
func (w *worker) unpack() (answer.Kind, error) {
	coding := w.resp.Header.ContentEncoding()
	if len(coding) == 0 || len(w.resp.Body()) == 0 {
		return answer.Good, nil
	}
	body, err := w.resp.BodyUncompressedWithLimit(w.run.plan.MaxBody)
	if errors.Is(err, fasthttp.ErrBodyTooLarge) {
		return answer.TooLarge, err
	} else if err != nil {
		return answer.Garbage, fmt.Errorf("cannot unpack an answer of Content-Encoding %q: %w", coding, err)
	}
	w.resp.SetBody(body)
	return answer.Good, nil
}

// judge decides whether the answer in w.resp is good. Most answers equal the one before, and comparing the two takes a tenth
// of the time.
func (w *worker) judge(step *plan.CompiledStep) (answer.Kind, error) {
	w.judged++
	deep, last, body := w.judged%256 == 1, &w.last, w.resp.Body()
	if !deep && last.step == step && last.status == w.resp.StatusCode() &&
		bytes.Equal(last.body, body) && bytes.Equal(last.contentType, w.resp.Header.ContentType()) {
		return answer.Good, nil
	}
	k, err := answer.Check(&w.resp, step.Accepted, deep)
	last.step = nil
	if k == answer.Good && len(body) <= maxRemembered {
		last.step, last.status = step, w.resp.StatusCode()
		last.body, last.contentType = append(last.body[:0], body...), append(last.contentType[:0], w.resp.Header.ContentType()...)
	}
	return k, err
}

// remembered is an answer that was good; step is nil if there is none.
type remembered struct {
	step              *plan.CompiledStep
	status            int
	body, contentType []byte
}

// maxRemembered is the largest body that a worker remembers, in bytes.
const maxRemembered = 16 << 10

// connect opens the worker's connection, and a device's session on it.
func (w *worker) connect(ctx context.Context, now time.Duration) error {
	nc, err := w.run.dialer.dial(ctx)
	if err != nil {
		return err
	}
	w.conn = newConn(nc, now, w.br)
	w.current.Store(w.conn)
	if w.device != nil {
		if err := w.openSession(ctx, now); err != nil {
			w.drop()
			return err
		}
	}
	w.dialled = true
	if w.run.hard.Err() != nil {
		w.drop() // the run ended meanwhile, before there was a connection to close
		return context.Cause(w.run.hard)
	}
	return nil
}

// drop closes the worker's connection.
func (w *worker) drop() {
	w.current.Store(nil)
	_ = w.conn.nc.Close() // the error does not matter: the connection is no longer used
	w.conn = nil
}

// errInterrupted ends what is in flight when a run is interrupted.
var errInterrupted = errors.New("interrupted")
