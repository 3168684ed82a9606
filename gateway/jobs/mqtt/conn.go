package mqtt

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/mqtt/packet"
)

// conn is one client's connection.
type conn struct {
	server  *Server
	net     net.Conn
	edge    *edge.Conn              // net, or the connection below its TLS; nil: not one of edge's
	session *session                // nil before CONNECT; guarded by turn
	held    atomic.Pointer[session] // the same, without turn

	// turn is held while the client's packets are handled or something is written to it.
	turn sync.Mutex
	connection
	unacked []uint16 // ids of QoS 1 messages in flight
	nextID  uint16
	writeBy int64 // Unix seconds: the current write deadline

	dirty  atomic.Bool  // what is pending may have changed
	queued atomic.Bool  // in the queue
	closed atomic.Bool  // the goroutine that sets it releases the session
	seen   atomic.Int64 // Unix seconds: time of the last packet
	begun  atomic.Bool  // CONNECT was accepted
	first  [1]byte      // see wait
}

// connection is what CONNECT agreed on.
type connection struct {
	version     packet.Version
	idle        uint32 // seconds without a packet until it is disconnected
	window      uint16 // QoS 1 messages it accepts in flight
	maxPacket   uint32 // largest packet it accepts, in bytes; 0: no bound
	certificate int64  // Unix seconds: when its certificate expires; 0: none
}

// buffers holds buffers for packets.
var buffers = sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}

// maxKept bounds the buffers that are pooled, in bytes.
const maxKept = 64 << 10

func keep(b *[]byte) {
	if cap(*b) <= maxKept {
		*b = (*b)[:cap(*b)]
		buffers.Put(b)
	}
}

// serve serves a connection from its first byte until it is parked or ends.
func (c *conn) serve() {
	defer c.server.recover(c)
	c.run(c.open())
}

// resume serves a connection that was parked.
func (c *conn) resume() {
	defer c.server.recover(c)
	c.run(nil)
}

// run receives until there is a reason to end. Once parked, the connection belongs to another goroutine.
func (c *conn) run(reason error) {
	for reason == nil {
		reason = c.receive()
	}
	if !errors.Is(reason, errParked) {
		c.end(reason)
	}
}

var errParked = errors.New("the connection is parked")

// open reads CONNECT and answers it. Errors before CONNECT are not answered.
func (c *conn) open() error {
	_ = c.net.SetDeadline(time.Now().Add(c.server.config.ReadTimeout)) // a broken connection shows when it is read
	if s, ok := c.net.(secured); ok {
		if err := s.Handshake(); err != nil {
			return err
		}
	}
	b := buffers.Get().(*[]byte)
	defer func() { keep(b) }()
	used := 0
	for {
		n, err := c.net.Read((*b)[used:])
		used += n
		p, size, bad := packet.Split((*b)[:used], c.server.packetLimit)
		switch {
		case bad != nil:
			return bad
		case used > 0 && (*b)[0]>>4 != byte(packet.CONNECT):
			return errNotConnect
		case size > 0:
			return c.begin(p, (*b)[size:used])
		case err != nil:
			return err
		}
		grow(b, used)
	}
}

var errNotConnect = &packet.Error{Reason: packet.ProtocolError, Text: "the first packet is not a CONNECT"}

// grow makes room after the used bytes of a buffer.
func grow(b *[]byte, used int) {
	if used == len(*b) {
		larger := make([]byte, 2*len(*b))
		copy(larger, *b)
		*b = larger
	}
}

// begin handles the CONNECT, and the packets that arrived with it.
func (c *conn) begin(p packet.Packet, rest []byte) error {
	c.turn.Lock()
	out := buffers.Get().(*[]byte)
	defer keep(out)
	w := writer{conn: c, out: (*out)[:0]}
	reason := c.connect(p, &w)
	if reason == nil {
		_ = c.net.SetDeadline(time.Time{})
		c.writeBy = 0
	}
	*out = w.flush()
	c.release()
	if reason != nil || len(rest) == 0 {
		return reason
	}
	b := buffers.Get().(*[]byte)
	for len(*b) < len(rest) {
		grow(b, len(*b))
	}
	return c.handle(b, copy(*b, rest))
}

// receive waits for bytes and handles the packets among them. It holds no buffer while it waits.
func (c *conn) receive() error {
	c.state(edge.Idle)
	b, n, err := c.wait()
	if err != nil && c.edge != nil && c.edge.Park() {
		return errParked
	}
	if err != nil {
		return err
	}
	c.state(edge.Active)
	return c.handle(b, n)
}

// state reports the connection's state to its listener.
func (c *conn) state(s edge.State) {
	if c.edge != nil {
		c.edge.SetState(s)
	}
}

// handle handles the packets in the first used bytes of b, and reads until the last of them is complete. It returns b to the
// pool.
func (c *conn) handle(b *[]byte, used int) error {
	defer func() { keep(b) }()
	late := false
	for {
		done, reason := c.packets((*b)[:used])
		if reason != nil {
			return reason
		}
		if used = copy(*b, (*b)[done:used]); used == 0 {
			if late {
				_ = c.net.SetReadDeadline(time.Time{})
			}
			return nil
		}
		if !late || done > 0 { // a packet has begun: its rest has a time limit
			late = true
			_ = c.net.SetReadDeadline(time.Now().Add(c.server.config.ReadTimeout))
		}
		grow(b, used)
		n, err := c.net.Read((*b)[used:])
		if used += n; n == 0 && err != nil {
			return err
		}
	}
}

// packets handles the complete packets at the start of b, in one turn, and returns their length in bytes.
func (c *conn) packets(b []byte) (done int, reason error) {
	c.turn.Lock()
	defer c.release()
	out := buffers.Get().(*[]byte)
	defer keep(out)
	w := writer{conn: c, out: (*out)[:0], now: time.Now()}
	for reason == nil {
		p, n, err := packet.Split(b[done:], c.server.packetLimit)
		if err != nil {
			reason = err
			break
		}
		if n == 0 {
			break
		}
		done += n
		c.seen.Store(w.now.Unix())
		reason = c.packet(p, &w)
	}
	if reason != nil {
		w.disconnect(reason)
	}
	*out = w.flush()
	if reason == nil {
		reason = w.err
	}
	return done, reason
}

// release ends a turn, and delivers what has changed in the meantime.
func (c *conn) release() {
	c.turn.Unlock()
	if c.dirty.Load() && c.begun.Load() {
		c.server.enqueue(c)
	}
}

// end closes the connection and releases its session, once.
func (c *conn) end(reason error) {
	if c.closed.Swap(true) {
		return
	}
	_ = c.net.Close()
	c.server.ended(c, reason)
}

// kick closes a connection from another goroutine. An MQTT 5 client gets the reason, unless it does not read.
func (c *conn) kick(reason packet.Reason) {
	for wait := time.Duration(0); c.begun.Load() && wait < kickTime; wait += kickPause {
		if c.turn.TryLock() { // otherwise it is handling a packet, or stuck
			c.farewell(reason)
			c.turn.Unlock()
			break
		}
		time.Sleep(kickPause)
	}
	c.end(&packet.Error{Reason: reason, Text: reason.String()})
}

// dismiss is kick after the client's pending requests were answered.
func (c *conn) dismiss(reason packet.Reason) {
	c.turn.Lock()
	c.farewell(reason)
	c.turn.Unlock()
	c.end(&packet.Error{Reason: reason, Text: reason.String()})
}

// farewell sends an MQTT 5 client the reason why its connection ends. c.turn is held.
func (c *conn) farewell(reason packet.Reason) {
	if c.begun.Load() && c.version == packet.V5 && !c.closed.Load() {
		_ = c.net.SetWriteDeadline(time.Now().Add(kickTime))
		_, _ = c.net.Write(packet.AppendDisconnect(nil, c.version, &packet.Disconnect{Reason: reason}))
	}
}

// kickTime is how long a client has to read the reason for its disconnection; kickPause is the pause between two tries.
const (
	kickTime  = 200 * time.Millisecond
	kickPause = 5 * time.Millisecond
)

// isTimeout reports whether an error is an exceeded deadline.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
