package mqtt

import (
	"errors"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
)

// writer buffers what is written to a client in one turn.
type writer struct {
	conn *conn
	out  []byte
	now  time.Time
	err  error // of writing: the connection is unusable
}

// flushAt is the buffer size at which it is written, in bytes.
const flushAt = 32 << 10

// flush writes the buffer and returns it to the pool.
func (w *writer) flush() []byte {
	c := w.conn
	if len(w.out) == 0 || w.err != nil {
		return w.out[:cap(w.out)]
	}
	// The deadline is moved at most once a second, which costs less than a timer for each write. Connections of edge set
	// their own.
	if now, timeout := time.Now(), c.server.config.WriteTimeout; c.edge == nil && c.begun.Load() && time.Unix(c.writeBy, 0).Sub(now) < timeout {
		c.writeBy = now.Add(timeout).Unix() + 2
		_ = c.net.SetWriteDeadline(time.Unix(c.writeBy, 0))
	}
	if _, err := c.net.Write(w.out); err != nil {
		if w.err = err; isTimeout(err) {
			w.err = errUnread
		}
	}
	return w.out[:cap(w.out)]
}

var errUnread = errors.New("mqtt: the client does not read")

// more flushes if the buffer is large.
func (w *writer) more() {
	if len(w.out) >= flushAt {
		w.out = w.flush()[:0]
	}
}

// disconnect sends an MQTT 5 client the reason why its connection ends, if there is one for it.
func (w *writer) disconnect(err error) {
	var bad *packet.Error
	if w.conn.version == packet.V5 && errors.As(err, &bad) && w.conn.begun.Load() {
		w.out = packet.AppendDisconnect(w.out, packet.V5, &packet.Disconnect{Reason: bad.Reason})
	}
}

// publish buffers a message. It sets a packet identifier for QoS 1; with a full window the message is sent with QoS 0.
func (w *writer) publish(m *packet.Publish) (id uint16) {
	c := w.conn
	if m.QoS == 1 {
		if len(c.unacked) >= int(c.window) {
			m.QoS = 0
		} else {
			m.ID = c.newID()
		}
	}
	w.out = packet.AppendPublish(w.out, c.version, m)
	c.server.sent.Add(1)
	w.more()
	return m.ID
}

// newID allocates a packet identifier. c.turn is held.
func (c *conn) newID() uint16 {
	for {
		c.nextID++
		if c.nextID != 0 && !c.inUse(c.nextID) {
			break
		}
	}
	c.unacked = append(c.unacked, c.nextID)
	return c.nextID
}

func (c *conn) inUse(id uint16) bool {
	for _, other := range c.unacked {
		if other == id {
			return true
		}
	}
	return false
}

// acknowledged frees a packet identifier; false if it was not in use. c.turn is held.
func (c *conn) acknowledged(id uint16) bool {
	for i, other := range c.unacked {
		if other == id {
			last := len(c.unacked) - 1
			c.unacked[i] = c.unacked[last]
			if c.unacked = c.unacked[:last]; last == 0 && cap(c.unacked) > 8 {
				c.unacked = nil
			}
			return true
		}
	}
	return false
}

// room returns the largest payload of a message that the client accepts, in bytes; 0: no bound.
func (c *conn) room(m *packet.Publish) int {
	if c.maxPacket == 0 {
		return 0
	}
	return max(1, int(c.maxPacket)-packet.PublishSize(c.version, m, 0)-3) // the length field may need up to three more bytes
}
