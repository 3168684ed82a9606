package mqtt

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/gateway/jobs/mqtt/packet"
)

// Hold is connections that stay open, with two subscriptions each as FreeRTOS's devices have them. The process that has
// them follows orders, each of which it answers.
type Hold struct {
	Port, Connections int
	Group             string // the i-th is the thing whose name is this and First+i in so many digits
	First, Digits     int
	TLS               bool // these are not told anything
}

// order is what such a process is to do.
type order struct {
	// Expect forgets what the devices were told, and looks for notify-next messages of a job whose id begins so; of no job
	// if it is empty.
	Expect string
	// Collect waits until so many devices were told, or for some seconds, and answers with when each of them was, in Unix
	// nanoseconds; 0: it was not. 0 of them: there is nothing to wait for.
	Collect, Seconds int
}

// the two subscriptions, behind the thing.
var heldFilters = [2]string{"/jobs/notify-next", "/jobs/$next/get/accepted"}

func (h *Hold) name(i int) string { return fmt.Sprintf("%s%0*d", h.Group, h.Digits, h.First+i) }

func (h *Hold) filters(i int) (list []string) {
	for _, f := range heldFilters {
		list = append(list, "$aws/things/"+h.name(i)+f)
	}
	return list
}

// Run opens the connections, says so on out, and follows the orders that come on in until that ends.
func (h Hold) Run(in io.Reader, out io.Writer) error {
	orders := make(chan order)
	go func() {
		defer close(orders)
		for d := json.NewDecoder(in); ; {
			var o order
			if d.Decode(&o) != nil {
				return // whatever ends it
			}
			orders <- o
		}
	}()
	if h.TLS {
		conns, err := h.openTLS()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, len(conns)); err != nil {
			return err
		}
		for range orders {
		}
		return nil
	}
	c, err := newClients(h.Port)
	if err != nil {
		return err
	}
	defer c.close()
	c.name, c.filters = h.name, h.filters
	w := &watch{clients: c, at: make([]int64, h.Connections), answers: json.NewEncoder(out)}
	c.message = w.told
	if err := c.open(h.Connections); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, h.Connections); err != nil {
		return err
	}
	return w.follow(orders)
}

// watch is what a holder knows of its devices.
type watch struct {
	*clients
	answers *json.Encoder
	want    []byte // in the payload; nil: no execution
	at      []int64
	n       int // of at that are set

	collect int // an order that is being followed; 0: none is
	until   time.Time
}

// told takes a message to a device.
func (w *watch) told(one *client, m *packet.Publish) {
	if !bytes.HasSuffix(m.Topic, []byte("/notify-next")) || w.at[one.index] != 0 {
		return
	}
	if w.want == nil && !bytes.Contains(m.Payload, []byte(`"execution":`)) || w.want != nil && bytes.Contains(m.Payload, w.want) {
		w.at[one.index] = time.Now().UnixNano()
		w.n++
	}
}

// follow serves the connections and follows orders until there are no more.
func (w *watch) follow(orders <-chan order) error {
	for {
		if w.collect > 0 && (w.n >= w.collect || time.Now().After(w.until)) {
			w.collect = 0
			if err := w.answers.Encode(w.at); err != nil {
				return err
			}
		}
		select {
		case o, ok := <-orders:
			if !ok {
				return nil
			}
			if o.Collect > 0 {
				w.collect, w.until = o.Collect, time.Now().Add(time.Duration(o.Seconds)*time.Second)
				continue
			}
			clear(w.at)
			w.n, w.want = 0, nil
			if o.Expect != "" {
				w.want = []byte(`"jobId":"` + o.Expect)
			}
			if err := w.answers.Encode(len(w.at)); err != nil {
				return err
			}
		default:
			if err := w.step(20 * time.Millisecond); err != nil {
				return err
			}
		}
	}
}

// openTLS opens the connections with TLS, one after the other.
func (h *Hold) openTLS() (conns []net.Conn, err error) {
	config := &tls.Config{InsecureSkipVerify: true} // the certificate was made for this run
	for i := range h.Connections {
		c, err := tls.DialWithDialer(process.FromSource(i), "tcp", fmt.Sprintf("127.0.0.1:%d", h.Port), config)
		if err == nil {
			conns = append(conns, c)
			err = h.greet(c, i)
		}
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return conns, nil
}

// greet opens the session of the i-th connection.
func (h *Hold) greet(c net.Conn, i int) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var list []packet.Subscription
	for _, f := range h.filters(i) {
		list = append(list, packet.Subscription{Filter: []byte(f), QoS: 1})
	}
	r := bufio.NewReaderSize(c, 64)
	for _, turn := range []struct {
		send   []byte
		answer packet.Type
	}{
		{packet.AppendConnect(nil, &packet.Connect{Version: version, Clean: true, ClientID: []byte(h.name(i))}), packet.CONNACK},
		{packet.AppendSubscribe(nil, version, 1, new(packet.Properties), list), packet.SUBACK},
	} {
		if _, err := c.Write(turn.send); err != nil {
			return err
		}
		head, err := r.Peek(2)
		if err != nil {
			return err
		}
		if packet.Type(head[0]>>4) != turn.answer {
			return fmt.Errorf("a packet of type %d, %d was expected", head[0]>>4, turn.answer)
		}
		if _, err := r.Discard(2 + int(head[1])); err != nil { // both are short
			return err
		}
	}
	return c.SetDeadline(time.Time{})
}
