//go:build linux

package mqtt_test

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/mqtt/packet"
)

// serving returns how many goroutines serve connections of the test's server.
func serving(t *testing.T) (n int) {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		t.Fatal(err)
	}
	_, goroutines, _ := strings.Cut(b.String(), "\n") // after the total
	label := fmt.Sprintf("%q:%q", testLabel, t.Name())
	for _, alike := range strings.Split(goroutines, "\n\n") { // "2 @ 0x…", their labels, their stack
		if strings.Contains(alike, "mqtt.(*conn).run+") && strings.Contains(alike, label) {
			many, _, _ := strings.Cut(alike, " @ ")
			each, err := strconv.Atoi(many)
			if err != nil {
				t.Fatalf("%v:\n%s", err, alike)
			}
			n += each
		}
	}
	return n
}

// A silent device costs no goroutine, gets notices of its jobs, and its requests are answered.
func TestParked(t *testing.T) {
	t.Parallel()
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
		f.server.Close() // while a connection is parked
		f.ok(<-served)
	})
}
