//go:build unix

package load

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"jobgate/bench/load/socket"
	"jobgate/gateway/servertest"
)

const requestTimeout = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// waitUnsolicited waits until the target's unsolicited data, or its close, has arrived.
func waitUnsolicited(t *testing.T, c *conn) {
	t.Helper()
	servertest.Eventually(t, "the target's data or close is detected", c.unsolicited)
}

func TestUnsolicited(t *testing.T) {
	c, target := pair(t)
	if c.unsolicited() {
		t.Error("unsolicited is true for a silent connection")
	}
	if _, err := io.WriteString(target, "HTTP/1.1 408"); err != nil {
		t.Fatal(err)
	}
	waitUnsolicited(t, c)

	c, target = pair(t)
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	waitUnsolicited(t, c)
}

// TestUnsolicitedTLS checks that TLS 1.3 session tickets, which the server sends after the handshake, do not count as
// unsolicited answers, and that requests work afterwards.
func TestUnsolicitedTLS(t *testing.T) {
	url, config := serveTLS(t, nil)
	config.ServerName = "example.com"
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	plain, err := net.Dial("tcp", strings.TrimPrefix(url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	tc := tls.Client(socket.Peekable(plain), config)
	defer func() { _ = tc.Close() }() // not used afterwards
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	w, _ := closedWorker(t, url)
	c := newConn(tc, 0, w.br)
	for range 100 {
		if c.unsolicited() {
			t.Fatal("unsolicited is true after a session ticket")
		}
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		if err := c.send([]byte("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.resp.Read(c.br); err != nil || w.resp.StatusCode() != 200 {
			t.Fatalf("the answer is %d, %v", w.resp.StatusCode(), err)
		}
		if c.unsolicited() {
			t.Error("unsolicited is true after an answered request")
		}
	}
}

// closedWorker is the worker of a closed loop, without a connection.
func closedWorker(t *testing.T, url string) (*worker, arrival) {
	t.Helper()
	r, target, err := prepare(closedPlan(t, url, 1, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	r.clock = newClock()
	if r.dialer, err = newDialer(t.Context(), r.plan, target); err != nil {
		t.Fatal(err)
	}
	return newWorker(r, 0), arrival{}
}

// TestTimeoutBeforeRequest uses a target that closes an idle connection with a 408, as HTTP servers may. The 408 is not
// the answer to the next request. That request, even a POST, goes out on a new connection.
func TestTimeoutBeforeRequest(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url := serveRaw(t, func(c net.Conn) {
		if n.Add(1) == 1 {
			_, _ = io.WriteString(c, requestTimeout)
			return
		}
		answerRaw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(c)
	})
	w, a := closedWorker(t, url)
	w.run.flows[0].Steps[0].Request.Method = "POST"
	if err := w.connect(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if err := w.conn.extend(0, time.Minute); err != nil {
		t.Fatal(err)
	}
	waitForBytes(t, w.conn)
	a.due = w.run.clock.now()
	w.do(a)
	w.drop()
	res := w.run.recorder.result()
	if res.Counts.Good != 1 || res.Counts.Failed != 0 || res.Counts.Reconnects != 1 {
		t.Errorf("%d good, %d failed, %d reconnects: %v", res.Counts.Good, res.Counts.Failed, res.Counts.Reconnects, res.Errors)
	}
}

// waitForBytes waits until bytes have arrived, without reading them.
func waitForBytes(t *testing.T, c *conn) {
	t.Helper()
	raw, err := c.nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Read(func(fd uintptr) bool {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK)
		return n > 0 && err == nil
	}); err != nil {
		t.Fatal(err)
	}
}
