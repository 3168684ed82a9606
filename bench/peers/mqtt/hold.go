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

// Hold is connections that stay open, each with two subscriptions, as FreeRTOS devices have. The process that holds them
// executes orders and answers each.
type Hold struct {
	Port, Connections int
	Group             string // the i-th thing's name is Group followed by First+i with so many digits
	First, Digits     int
	TLS               bool // such devices cannot receive notices
}

// order is an instruction to such a process.
type order struct {
	// Expect clears the recorded notices and waits for notify-next messages of a job whose id has this prefix; "": of no
	// job.
	Expect string
	// Collect waits until so many devices were notified, at most Seconds, and answers with the time of each notice in Unix
	// nanoseconds; 0: not notified. Collect = 0: the order is Expect.
	Collect, Seconds int
}

// heldFilters are the two subscriptions, without the prefix with the thing's name.
var heldFilters = [2]string{"/jobs/notify-next", "/jobs/$next/get/accepted"}

func (h *Hold) name(i int) string { return fmt.Sprintf("%s%0*d", h.Group, h.Digits, h.First+i) }

func (h *Hold) filters(i int) (list []string) {
	for _, f := range heldFilters {
		list = append(list, "$aws/things/"+h.name(i)+f)
	}
	return list
}

// Run opens the connections, writes their number to out, and executes the orders read from in until its end.
func (h Hold) Run(in io.Reader, out io.Writer) error {
	orders := make(chan order)
	go func() {
		defer close(orders)
		for d := json.NewDecoder(in); ; {
			var o order
			if d.Decode(&o) != nil {
				return // an error ends the orders as well
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
	c.message = w.notified
	if err := c.open(h.Connections); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, h.Connections); err != nil {
		return err
	}
	return w.follow(orders)
}

// watch records the notices of a holder's devices.
type watch struct {
	*clients
	answers *json.Encoder
	want    []byte // expected in the payload; nil: no execution
	at      []int64
	n       int // number of at that are set

	collect int // of the current order; 0: none
	until   time.Time
}

// notified handles a message to a device.
func (w *watch) notified(one *client, m *packet.Publish) {
	if !bytes.HasSuffix(m.Topic, []byte("/notify-next")) || w.at[one.index] != 0 {
		return
	}
	if w.want == nil && !bytes.Contains(m.Payload, []byte(`"execution":`)) || w.want != nil && bytes.Contains(m.Payload, w.want) {
		w.at[one.index] = time.Now().UnixNano()
		w.n++
	}
}

// follow serves the connections and executes orders until there are no more.
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
			err = h.openSession(c, i)
		}
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return conns, nil
}

// openSession connects and subscribes on the i-th connection.
func (h *Hold) openSession(c net.Conn, i int) error {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
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
			return fmt.Errorf("the packet has type %d, want %d", head[0]>>4, turn.answer)
		}
		if _, err := r.Discard(2 + int(head[1])); err != nil { // short packets have a one-byte length
			return err
		}
	}
	return c.SetDeadline(time.Time{})
}
