//go:build linux

package mqtt_test

import (
	"bytes"
	"runtime/pprof"
	"strings"
	"testing"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/mqtt/packet"
)

// serving returns how many goroutines serve connections.
func serving(t *testing.T) int {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		t.Fatal(err)
	}
	return strings.Count(b.String(), "mqtt.(*conn).goOn(")
}

// A device that is silent costs no goroutine, is told of its jobs, and is answered when it asks.
func TestParked(t *testing.T) {
	both(t, func(t *testing.T, v packet.Version) {
		f := newFixture(t, nil)
		ln, err := edge.Listen(edge.Options{
			Name: "mqtt", Address: "127.0.0.1:0", ReadTimeout: patience, IdleTimeout: patience, WriteTimeout: patience, ParkAfter: parkSoon,
		})
		f.ok(err)
		f.address = ln.Addr().String()
		served := make(chan error, 1)
		go func() { served <- f.server.Serve(ln) }()
		f.things("t")
		c := f.connect(v, "t", nil)
		c.subscribe(1, "notify")
		for _, job := range []string{"a", "b"} {
			parks(t, 0)
			f.create(job, "t")
			c.message("notify")
			parks(t, 0)
			c.send(packet.AppendPingreq(nil))
			if p := c.recv(); p.Type != packet.PINGRESP {
				t.Errorf("PINGREQ is answered with %v", p.Type)
			}
		}
		parks(t, 0)
		f.connect(v, "t", nil) // takes its place
		for {
			if _, err := c.next(); err != nil {
				if !closed(err) {
					t.Error(err)
				}
				break
			}
		}
		f.server.Close() // with one that is parked
		f.ok(<-served)
	})
}
