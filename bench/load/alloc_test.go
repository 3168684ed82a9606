//go:build !race

package load

import (
	"io"
	"net"
	"testing"
	"time"

	"jobgate/bench/load/answer"
	"jobgate/bench/load/plan"
)

// canned is a fake connection that answers every request with the same bytes.
type canned struct {
	net.Conn
	answer []byte
	left   []byte
}

func (c *canned) Write(p []byte) (int, error) {
	c.left = c.answer
	return len(p), nil
}

func (c *canned) Read(p []byte) (int, error) {
	if len(c.left) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}

func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }
func (c *canned) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *canned) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *canned) Close() error                     { return nil }

const cannedAnswer = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"a\":\"value\"}"

// cannedWorker is a worker of an open loop with a canned connection.
func cannedWorker(t testing.TB) (*worker, arrival) {
	t.Helper()
	p := openPlan(t, "http://host", 1000, time.Second)
	p.Flows[0].Steps[0].Headers = []plan.Header{{Name: "X-Thing-Name", Value: "{thingName}"}}
	r, _, err := prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	r.clock = newClock()
	w := newWorker(r, 0)
	w.conn = newConn(&canned{answer: []byte(cannedAnswer)}, 0, w.br)
	return w, arrival{thing: 5}
}

func TestRequestAllocatesNothing(t *testing.T) {
	w, a := cannedWorker(t)
	w.do(a) // grows the buffers
	if n := testing.AllocsPerRun(1000, func() { w.do(a) }); n != 0 {
		t.Errorf("a request allocates %g times, want 0", n)
	}
	if w.run.recorder.shards[0].kinds[answer.Good] == 0 || w.run.recorder.shards[0].kinds[answer.Closed] != 0 {
		t.Errorf("the requests ended as %v", w.run.recorder.shards[0].kinds)
	}
}
