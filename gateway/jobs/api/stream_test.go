package api

import (
	"context"
	"net"
	"testing"
	"time"

	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/servertest"
	"jobgate/presigner"
)

// narrow is a listener whose connections buffer little unread data.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(4096)
	}
	return conn, err
}

// stall opens an event stream on a server of the plane, reads only its first bytes, and makes changes until the stream
// blocks. shutdown stops the server as the gateway does.
func (p *plane) stall() (shutdown func() error) {
	t := p.t
	t.Helper()
	p.control.config.Clock, p.now = time.Now, time.Now()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := p.control.httpServer()
	done := make(chan error, 1)
	go func() { done <- server.Serve(narrow{listener}) }()
	shutdown = func() error {
		p.control.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return err
		}
		return <-done
	}
	o := events.Options{
		Endpoint: "http://" + listener.Addr().String(), Region: testNames.Region,
		Credentials: presigner.Credentials{AccessKeyID: operator.id, SecretAccessKey: operator.secret},
	}
	req, err := o.Request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if err := req.Write(conn); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	p.createThings("a")
	p.createJob("j", "a")
	for range 1500 { // some 300 KB of events
		p.ok(operator.asDevice(), "POST", "/things/a/jobs/j", `{"status":"IN_PROGRESS"}`)
	}
	return shutdown
}

// A follower that has stopped reading does not delay the gateway's shutdown.
func TestStalledFollowerAtShutdown(t *testing.T) {
	p := newPlane(t)
	shutdown := p.stall()
	if p.control.config.Events.Open() != 1 {
		t.Fatal("there is no stream")
	}
	begun := time.Now()
	if err := shutdown(); err != nil {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

// A follower that has stopped reading is disconnected.
func TestStalledFollowerDisconnected(t *testing.T) {
	p := newPlane(t)
	p.events.StallTimeout = 100 * time.Millisecond
	p.listen()
	shutdown := p.stall()
	servertest.Eventually(t, "the stream is closed", func() bool { return p.control.config.Events.Open() == 0 })
	if p.service.Events().Active() {
		t.Error("it is still connected")
	}
	if err := shutdown(); err != nil {
		t.Error(err)
	}
}
