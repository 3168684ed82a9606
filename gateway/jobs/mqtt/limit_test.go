//go:build linux

package mqtt_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/mqtt/packet"
)

// TestConnectionLimit floods a full listener. Connections without a CONNECT are closed without a byte and end no other
// connection; a valid CONNECT replaces the device that was silent the longest, if there is one; active devices stay connected.
func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	const limit, active, parkAfter = 20, 10, time.Minute // none is evicted before it was silent for 6 s
	f := newFixture(t, nil)
	ln, err := edge.Listen(edge.Options{
		Name: "mqtt", Address: "127.0.0.1:0", MaxConnections: limit, ReadTimeout: 2 * time.Second, IdleTimeout: patience, WriteTimeout: patience, ParkAfter: parkAfter,
	})
	f.ok(err)
	f.address = ln.Addr().String()
	go func() { _ = f.server.Serve(ln) }() // Close ends it

	var silent []*client
	for i := range limit - active {
		silent = append(silent, f.connect(packet.V5, fmt.Sprintf("silent-%d", i), nil))
	}
	var answers atomic.Int64
	stop, stopped := make(chan struct{}), sync.WaitGroup{}
	for i := range active {
		c := f.connect(packet.V311, fmt.Sprintf("active-%d", i), nil)
		stopped.Go(func() { c.pings(stop, &answers) })
	}

	f.strangers(200)
	for _, c := range silent {
		c.quiet()
	}
	parks(t, active)
	in, first := 0, time.Now()
	for begun := time.Now(); in == 0 && time.Since(begun) < patience; {
		first = time.Now()
		in = f.connectLate(0, 1)
	}
	in += f.connectLate(1, 50)
	if quick := time.Since(first) < parkAfter/10; in < len(silent) || in > len(silent) && quick { // later ones evict earlier ones
		t.Errorf("%d were accepted, %d were parked", in, len(silent))
	}
	for _, c := range silent {
		if _, err := c.next(); !closed(err) {
			t.Errorf("%s: %v", c.id, err)
		}
	}
	close(stop)
	stopped.Wait()
	if answers.Load() < 10*active {
		t.Errorf("the active devices were answered %d times", answers.Load())
	}
}

// pings sends PINGREQs until stop is closed, and counts the answers.
func (c *client) pings(stop <-chan struct{}, answers *atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(10 * time.Millisecond):
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(packet.AppendPingreq(nil)); err != nil {
			c.Errorf("%s: %v", c.id, err)
			return
		}
		if p, err := c.next(); err != nil || p.Type != packet.PINGRESP {
			c.Errorf("%s: %d, %v", c.id, p.Type, err)
			return
		}
		answers.Add(1)
	}
}

// strangers opens n connections that never send a whole CONNECT, and waits until each was closed without a byte.
func (f *fixture) strangers(n int) {
	f.Helper()
	half := packet.AppendConnect(nil, &packet.Connect{Version: packet.V5, Clean: true, ClientID: []byte("half")})
	words := [][]byte{nil, half[:len(half)-1], []byte("GET / HTTP/1.1\r\n\r\n"), packet.AppendPingreq(nil)}
	var ending sync.WaitGroup
	for i := range n {
		conn, err := net.Dial("tcp", f.address)
		f.ok(err)
		ending.Go(func() {
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write(words[i%len(words)]) // it may be closed
			if got, err := io.ReadAll(conn); len(got) > 0 || edge.IsTimeout(err) {
				f.Errorf("a stranger got %x, %v", got, err)
			}
		})
	}
	ending.Wait()
}

// connectLate sends CONNECTs of devices from one number to another, one after the other, and returns how many were
// accepted. The others are closed.
func (f *fixture) connectLate(from, to int) (in int) {
	f.Helper()
	for i := from; i < to; i++ {
		c := f.dial(packet.V5, fmt.Sprintf("late-%d", i))
		_, _ = c.Write(packet.AppendConnect(nil, &packet.Connect{Version: packet.V5, Clean: true, KeepAlive: 60, ClientID: []byte(c.id)})) // it may be closed
		p, err := c.next()
		if err != nil {
			continue // closed without a byte
		}
		var ack packet.Connack
		f.ok(packet.ParseConnack(p.Body, packet.V5, &ack))
		if ack.Reason == packet.Success {
			in++
		}
	}
	return in
}
