//go:build linux

package edge_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/servertest"
)

// storm is a set of clients that send, pause and disconnect at random, often near the moment at which they are parked.
type storm struct {
	site   *site
	config *tls.Config  // nil: plain
	evicts bool         // a connection may be closed between two requests
	end    time.Time    // see running
	most   atomic.Int64 // the most connections that were parked at once
}

// running reports whether the storm goes on: until its end and, on a busy machine, until a connection was parked, but for at most
// a minute more.
func (s *storm) running() bool {
	late := time.Since(s.end)
	return late < 0 || s.most.Load() == 0 && late < time.Minute
}

// client is one of the storm's connections.
type client struct {
	net.Conn
	raw  net.Conn
	r    *bufio.Reader
	next int // number of the next request
}

func (s *storm) connect() (*client, error) {
	raw, err := net.Dial("tcp", s.site.Addr().String())
	if err != nil {
		return nil, err
	}
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	c := &client{Conn: raw, raw: raw}
	if s.config != nil {
		c.Conn = tls.Client(splitting{raw}, s.config)
	}
	c.r = bufio.NewReader(c.Conn)
	return c, nil
}

// splitting is a connection that sometimes sends a TLS record in two pieces, with a pause between them.
type splitting struct{ net.Conn }

func (h splitting) Write(b []byte) (int, error) {
	if len(b) < 2 || rand.N(6) > 0 {
		return h.Conn.Write(b)
	}
	cut := 1 + rand.N(len(b)-1)
	if n, err := h.Conn.Write(b[:cut]); err != nil {
		return n, err
	}
	pause()
	n, err := h.Conn.Write(b[cut:])
	return cut + n, err
}

// run runs one client after the other.
func (s *storm) run(name int) error {
	for s.running() {
		c, err := s.connect()
		if err != nil {
			return err
		}
		err = s.use(c, name)
		_ = c.raw.Close()
		if err != nil {
			return fmt.Errorf("request %d of %v: %w", c.next, c.raw.LocalAddr(), err)
		}
	}
	return nil
}

// pause waits, usually until about the moment of parking.
func pause() {
	if rand.N(3) > 0 {
		time.Sleep(soon + rand.N(soon/2) - soon/8)
	}
}

// use sends requests on one connection until it ends.
func (s *storm) use(c *client, name int) error {
	for s.running() {
		n := 1
		if rand.N(4) == 0 {
			n += rand.N(4) // pipelined
		}
		first := c.next
		var b []byte
		for range n {
			b = fmt.Appendf(b, "PUT /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n%06d", name, c.next)
			c.next++
		}
		sent := s.send(c, b)
		for i := range n {
			err := sent
			if err == nil {
				err = c.answer(fmt.Sprintf("/%d%06d", name, first+i))
			}
			if s.evicts && i == 0 && first > 0 && ended(err) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		pause()
		switch rand.N(20) {
		case 0: // closes
			return c.Close()
		case 1: // resets the connection
			_ = c.raw.(*net.TCPConn).SetLinger(0)
			return nil
		case 2: // closes in the middle of a request, or of a record
			_, err := c.raw.Write([]byte("PUT"))
			if s.evicts && ended(err) {
				err = nil
			}
			return err
		}
	}
	return nil
}

// send sends b, sometimes in two pieces.
func (s *storm) send(c *client, b []byte) error {
	if rand.N(4) == 0 {
		cut := 1 + rand.N(len(b)-1)
		if _, err := c.Write(b[:cut]); err != nil {
			return err
		}
		b = b[cut:]
		pause()
	}
	_, err := c.Write(b)
	return err
}

func (c *client) answer(want string) error {
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || string(body) != want {
		return fmt.Errorf("%d %q instead of %q: %w", res.StatusCode, body, want, err)
	}
	return nil
}

// ended reports whether err is that of a connection that was closed by the server.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// Whatever clients do, every request on an open connection is answered, and in the end no connection is left.
func TestStorm(t *testing.T) {
	t.Parallel()
	files, pair := certificate(t, time.Now().Add(time.Hour))
	const clients = 60
	lasts := 500 * time.Millisecond
	if os.Getenv("JOBGATE_TEST_QUIET_CLOCK") != "" {
		lasts = 2 * time.Second
	}
	f := func(what string, secure bool, limit int) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := &storm{end: time.Now().Add(lasts), evicts: limit > 0}
			s.site = serve(t, echo, func(o *edge.Options, h *edge.HTTPOptions, d *edge.Drain) {
				parks(o, h, d)
				o.MaxConnections, o.Refuse = limit, nil
				if secure {
					o.TLS = &files
				}
			})
			if secure {
				s.config = trusting(pair)
				s.config.ClientSessionCache = tls.NewLRUClientSessionCache(clients) // most handshakes resume a session
			}
			var group sync.WaitGroup
			stop := make(chan struct{})
			for i := range clients {
				group.Go(func() {
					for s.running() {
						err := s.run(i)
						if err != nil && (limit == 0 || !ended(err)) { // at the limit a new connection may be refused
							t.Error(err)
							return
						}
					}
				})
			}
			watched := make(chan struct{})
			go func() {
				defer close(watched)
				for tick := time.NewTicker(5 * time.Millisecond); ; {
					select {
					case <-stop:
						tick.Stop()
						return
					case <-tick.C:
						s.most.Store(max(s.most.Load(), int64(s.site.state(t, "parked"))))
					}
				}
			}()
			group.Wait()
			close(stop)
			<-watched
			if s.most.Load() == 0 {
				t.Error("no connection was parked")
			}
			servertest.Eventually(t, "all are closed", func() bool {
				n := 0.0
				for _, state := range []string{"fresh", "active", "idle", "parked"} {
					n += s.site.state(t, state)
				}
				return n == 0
			})
			if err := s.site.stop(); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			t.Logf("at most %v of %d were parked at once", s.most.Load(), clients)
		})
	}
	f("plain", false, 0)
	f("TLS", true, 0)
	f("plain at the limit", false, clients/2)
	f("TLS at the limit", true, clients/2)
}
