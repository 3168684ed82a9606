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

// TestConnectionLimit floods a listener that is full. Strangers are closed without a byte and end nobody's connection; a
// valid CONNECT takes the place of the device that was silent the longest, if there is one; devices that ask go on.
func TestConnectionLimit(t *testing.T) {
	const limit, asking, parkAfter = 20, 10, 5 * time.Second
	f := newFixture(t, nil)
	ln, err := edge.Listen(edge.Options{
		Name: "mqtt", Address: "127.0.0.1:0", MaxConnections: limit, ReadTimeout: 2 * time.Second, IdleTimeout: patience, WriteTimeout: patience, ParkAfter: parkAfter,
	})
	f.ok(err)
	f.address = ln.Addr().String()
	go func() { _ = f.server.Serve(ln) }() // Close ends it

	var silent []*client
	for i := range limit - asking {
		silent = append(silent, f.connect(packet.V5, fmt.Sprintf("silent-%d", i), nil))
	}
	parks(t)
	var asks atomic.Int64
	stop, stopped := make(chan struct{}), sync.WaitGroup{}
	for i := range asking {
		c := f.connect(packet.V311, fmt.Sprintf("asking-%d", i), nil)
		stopped.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
				_ = c.SetDeadline(time.Now().Add(patience))
				if _, err := c.Write(packet.AppendPingreq(nil)); err != nil {
					t.Errorf("%s: %v", c.id, err)
					return
				}
				if p, err := c.next(); err != nil || p.Type != packet.PINGRESP {
					t.Errorf("%s: %d, %v", c.id, p.Type, err)
					return
				}
				asks.Add(1)
			}
		})
	}

	half := packet.AppendConnect(nil, &packet.Connect{Version: packet.V5, Clean: true, ClientID: []byte("half")})
	var strangers sync.WaitGroup
	for i := range 200 {
		conn, err := net.Dial("tcp", f.address)
		f.ok(err)
		strangers.Go(func() {
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(patience))
			_, _ = conn.Write([][]byte{nil, half[:len(half)-1], []byte("GET / HTTP/1.1\r\n\r\n"), packet.AppendPingreq(nil)}[i%4]) // or it is closed
			if got, err := io.ReadAll(conn); len(got) > 0 || edge.IsTimeout(err) {
				t.Errorf("a stranger got %x, %v", got, err)
			}
		})
	}
	strangers.Wait()
	for _, c := range silent {
		c.quiet()
	}
	parks := func() {
		t.Helper()
		for end := time.Now().Add(time.Minute); serving(t) > asking; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("the silent ones still have goroutines")
			}
		}
	}
	parks()

	// One CONNECT after another: as many are let in as devices are parked.
	in := 0
	for i := range 100 {
		conn, err := net.Dial("tcp", f.address)
		f.ok(err)
		c := f.over(conn, packet.V5, fmt.Sprintf("late-%d", i))
		_, _ = c.Write(packet.AppendConnect(nil, &packet.Connect{Version: packet.V5, Clean: true, KeepAlive: 60, ClientID: []byte(c.id)})) // or it is closed
		p, err := c.next()
		if err != nil {
			continue // without a byte
		}
		var ack packet.Connack
		f.ok(packet.ParseConnack(p.Body, packet.V5, &ack))
		if ack.Reason == packet.Success {
			in++
		}
	}
	if in != len(silent) {
		t.Errorf("%d were let in, %d were parked", in, len(silent))
	}
	for _, c := range silent {
		if _, err := c.next(); !closed(err) {
			t.Errorf("%s: %v", c.id, err)
		}
	}
	close(stop)
	stopped.Wait()
	if asks.Load() < 10*asking {
		t.Errorf("the devices that ask were answered %d times", asks.Load())
	}
}
