//go:build unix

package load

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"jobgate/bench/load/answer"
)

// pair returns a worker's connection and the target's end of it.
func pair(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	accepted := make(chan net.Conn, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		c, _ := l.Accept() // on an error, the dial fails too
		accepted <- c
	}()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	target := <-accepted
	t.Cleanup(func() { _ = errors.Join(l.Close(), nc.Close(), target.Close()) })
	c := newConn(nc, 0, bufio.NewReaderSize(nil, answer.HeaderLimit))
	if c.exchange == nil {
		t.Fatal("the TCP connection has no exchange")
	}
	if err := c.extend(0, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	return c, target
}

// TestExchange sends requests that fit into the connection's buffers, and one that does not.
func TestExchange(t *testing.T) {
	c, target := pair(t)
	f := func(size int) {
		t.Helper()
		request, answer := bytes.Repeat([]byte("q"), size), []byte("answer")
		failed := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(target, make([]byte, size))
			_, werr := target.Write(answer)
			failed <- errors.Join(err, werr)
		}()
		before := c.out
		if err := c.send(request); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(answer))
		if _, err := io.ReadFull(c.br, got); err != nil || !bytes.Equal(got, answer) {
			t.Fatalf("a request of %d bytes is answered %q, %v", size, got, err)
		}
		if n := c.out - before; n != int64(size) {
			t.Errorf("%d bytes sent are counted, want %d", n, size)
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		f(80)
	}
	f(16 << 20)
	f(80)
}

// TestExchangeFails uses targets that close the connection before the request, close it instead of answering, or do not
// answer.
func TestExchangeFails(t *testing.T) {
	f := func(want answer.Kind, target func(net.Conn)) {
		t.Helper()
		c, other := pair(t)
		if err := c.nc.SetDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		target(other)
		if err := c.send([]byte("request")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.br.ReadByte(); answer.ExchangeKind(err, false) != want {
			t.Errorf("the error is %v, want one of kind %v", err, want)
		}
	}
	f(answer.Closed, func(c net.Conn) { _ = c.Close() })
	f(answer.Closed, func(c net.Conn) {
		go func() {
			_, _ = c.Read(make([]byte, 7))
			_ = c.Close()
		}()
	})
	f(answer.TimedOut, func(net.Conn) {})
}

// TestExchangeAllocatesNothing sends over a real connection.
func TestExchangeAllocatesNothing(t *testing.T) {
	c, target := pair(t)
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := target.Read(buf)
			if err != nil {
				return
			}
			_, _ = target.Write(buf[:n]) // if it fails, the read below fails
		}
	}()
	request := []byte("request")
	if n := testing.AllocsPerRun(200, func() {
		_ = c.send(request)
		if _, err := c.br.Discard(len(request)); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}
