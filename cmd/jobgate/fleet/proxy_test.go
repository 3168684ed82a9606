package fleet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/jobs/postgres/pgtest"
)

// proxy is between gateways and a database, or another server, and disturbs their connections.
type proxy struct {
	target string
	ln     net.Listener

	refuse atomic.Bool  // reset new connections
	delay  atomic.Int64 // of each answer, ns
	cut    atomic.Int64 // for one in cut writes and commits, reset the connection before the answer; 0: for none
	cuts   atomic.Int64 // connections that were cut

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, ln: ln, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = ln.Close(); p.reset() })
	go p.serve()
	return p
}

func (p *proxy) serve() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		if p.refuse.Load() {
			abort(c)
			continue
		}
		go p.pass(c)
	}
}

// abort resets a connection.
func abort(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// reset resets all connections.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		abort(c)
	}
}

func (p *proxy) pass(c net.Conn) {
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		abort(c)
		return
	}
	p.mu.Lock()
	p.conns[c] = true
	p.mu.Unlock()
	var once sync.Once
	end := func() {
		once.Do(func() {
			p.mu.Lock()
			delete(p.conns, c)
			p.mu.Unlock()
			abort(c)
			_ = s.Close()
		})
	}
	go func() {
		defer end()
		buf := make([]byte, 64<<10)
		for {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			time.Sleep(time.Duration(p.delay.Load()))
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	defer end()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		cut := p.shouldCut(buf[:n])
		if cut { // the database gets the message, but the gateway no answer
			abort(c)
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return
		}
		if cut {
			p.cuts.Add(1)
			time.Sleep(20 * time.Millisecond)
			_, _ = io.Copy(io.Discard, io.LimitReader(s, 1))
			return
		}
	}
}

// shouldCut reports whether to cut the connection after a message, chosen at random from those that may change something.
// Reports are recognized by their details, which are arguments of a prepared statement.
func (p *proxy) shouldCut(message []byte) bool {
	n := p.cut.Load()
	return n > 0 && (bytes.Contains(message, []byte("commit")) || bytes.Contains(message, []byte(`{"n":"`))) && rand.Int64N(n) == 0
}

// through starts a proxy to the database and returns the database's URL through the proxy.
func through(t *testing.T, s *pgtest.Server, url string) (*proxy, string) {
	t.Helper()
	p := newProxy(t, s.Address())
	return p, strings.Replace(url, s.Address(), p.ln.Addr().String(), 1)
}

// throughProxy starts gateways whose database is behind a proxy, and a load on a new job, and waits until a report is
// answered.
func throughProxy(t *testing.T, gateways int, id string, workers int) (*proxy, *fleet, *load) {
	t.Helper()
	server, url := startServer(t)
	p, way := through(t, server, url)
	f := newFleet(t, gateways, way, url)
	l := f.load(id, workers, 4)
	l.awaitReport(10 * time.Second)
	return p, f, l
}

// TestConnectionsCut resets connections after a change was sent and before its answer. The gateway must find out whether the
// change was made.
func TestConnectionsCut(t *testing.T) {
	p, _, l := throughProxy(t, 2, "cut", 8)
	p.cut.Store(5)
	within := time.Duration(faults()) * (10*time.Second + grace)
	for deadline := time.Now().Add(within); p.cuts.Load() < int64(10*faults()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d connections were cut", p.cuts.Load())
		}
	}
	p.cut.Store(0)
	l.awaitReport(5 * time.Second)
	t.Logf("%d connections were cut", p.cuts.Load())
	l.verify()
}

// TestConnectionsRefused resets all connections and accepts no new ones, for a while.
func TestConnectionsRefused(t *testing.T) {
	p, f, l := throughProxy(t, 2, "refused", 8)
	for range faults() {
		l.awaitReport(10 * time.Second)
		p.refuse.Store(true)
		p.reset()
		time.Sleep(300 * time.Millisecond)
		begun := time.Now()
		if status, body, _ := f.post(l.things[0], l.job, `{"status":"IN_PROGRESS"}`); status != 503 {
			t.Errorf("while connections are refused: %d %s after %v", status, body, time.Since(begun))
		}
		p.refuse.Store(false)
		t.Logf("answered again after %v", l.awaitReport(5*time.Second))
	}
	l.verify()
}

// TestConnectionsSlow delays every answer of the database by half a second. The gateways' answers may be slow, but not wrong.
func TestConnectionsSlow(t *testing.T) {
	p, _, l := throughProxy(t, 2, "slow", 4)
	p.delay.Store(int64(500 * time.Millisecond))
	time.Sleep(time.Duration(faults()) * 2 * time.Second)
	p.delay.Store(0)
	l.awaitReport(10 * time.Second)
	l.verify()
}

// TestDatabaseSilent delays the database's answers for a minute. Calls must fail after store_timeout, and work again when
// the database answers.
func TestDatabaseSilent(t *testing.T) {
	p, f, l := throughProxy(t, 1, "silent", 4)
	p.delay.Store(int64(time.Minute)) // calls in progress get no answer
	time.Sleep(100 * time.Millisecond)
	begun := time.Now()
	status, body, _ := f.post(l.things[0], l.job, `{"status":"IN_PROGRESS"}`)
	if took := time.Since(begun); status != 503 || took > 4*time.Second+grace {
		t.Errorf("while the database is silent: %d %s after %v", status, body, took)
	}
	p.delay.Store(0)
	p.reset() // drop the connections with delayed answers
	t.Logf("answered again after %v", l.awaitReport(5*time.Second))
	l.verify()
}
