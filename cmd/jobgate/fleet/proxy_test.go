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

// proxy stands between gateways and a database, and spoils their connections.
type proxy struct {
	target string
	ln     net.Listener

	refuse atomic.Bool  // new connections are reset, those that are open too
	delay  atomic.Int64 // of each answer, ns
	cut    atomic.Int64 // one in so many writes and commits is sent on, and the connection reset before its answer; 0: none
	cuts   atomic.Int64 // how many were

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
		spoil := p.spoils(buf[:n])
		if spoil { // the database gets it, nobody hears of what becomes of it
			abort(c)
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return
		}
		if spoil {
			p.cuts.Add(1)
			time.Sleep(20 * time.Millisecond)
			_, _ = io.Copy(io.Discard, io.LimitReader(s, 1))
			return
		}
	}
}

// spoils says whether a message that may change something is to be the connection's last. Reports go by a prepared
// statement whose arguments hold their details.
func (p *proxy) spoils(message []byte) bool {
	n := p.cut.Load()
	return n > 0 && (bytes.Contains(message, []byte("commit")) || bytes.Contains(message, []byte(`{"n":"`))) && rand.Int64N(n) == 0
}

// through is the database's URL by way of a proxy.
func through(t *testing.T, s *pgtest.Server, url string) (*proxy, string) {
	t.Helper()
	p := newProxy(t, s.Address())
	return p, strings.Replace(url, s.Address(), p.ln.Addr().String(), 1)
}

// throughProxy starts gateways whose database is behind a proxy, and a load on a job of that id, which works.
func throughProxy(t *testing.T, gateways int, id string, workers int) (*proxy, *fleet, *load) {
	t.Helper()
	server, url := startServer(t)
	p, way := through(t, server, url)
	f := newFleet(t, gateways, way, url)
	l := f.load(id, workers, 4)
	l.works(10 * time.Second)
	return p, f, l
}

// TestConnectionsCut resets connections after a change was sent, before its answer: what became of it is found out.
func TestConnectionsCut(t *testing.T) {
	p, _, l := throughProxy(t, 2, "cut", 8)
	p.cut.Store(5)
	for deadline := time.Now().Add(10*time.Second + late); p.cuts.Load() < int64(10*faults()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d connections were cut", p.cuts.Load())
		}
	}
	p.cut.Store(0)
	l.works(5 * time.Second)
	t.Logf("%d connections were cut", p.cuts.Load())
	l.verify()
}

// TestConnectionsRefused resets all connections and takes no others, for a while.
func TestConnectionsRefused(t *testing.T) {
	p, f, l := throughProxy(t, 2, "refused", 8)
	for range faults() {
		l.works(10 * time.Second)
		p.refuse.Store(true)
		p.reset()
		time.Sleep(300 * time.Millisecond)
		begun := time.Now()
		if status, body, _ := f.post(l.things[0], l.job, `{"status":"IN_PROGRESS"}`); status != 503 {
			t.Errorf("while connections are refused: %d %s after %v", status, body, time.Since(begun))
		}
		p.refuse.Store(false)
		t.Logf("answered again after %v", l.works(5*time.Second))
	}
	l.verify()
}

// TestConnectionsSlow delays every answer of the database by half a second: answers are slow, not wrong.
func TestConnectionsSlow(t *testing.T) {
	p, _, l := throughProxy(t, 2, "slow", 4)
	p.delay.Store(int64(500 * time.Millisecond))
	time.Sleep(time.Duration(faults()) * 2 * time.Second)
	p.delay.Store(0)
	l.works(10 * time.Second)
	l.verify()
}

// TestDatabaseSilent freezes the database: calls end after store_timeout, and go on when it does.
func TestDatabaseSilent(t *testing.T) {
	p, f, l := throughProxy(t, 1, "silent", 4)
	p.delay.Store(int64(time.Minute)) // what is under way gets no answer
	time.Sleep(100 * time.Millisecond)
	begun := time.Now()
	status, body, _ := f.post(l.things[0], l.job, `{"status":"IN_PROGRESS"}`)
	if took := time.Since(begun); status != 503 || took > 4*time.Second+late {
		t.Errorf("while the database is silent: %d %s after %v", status, body, took)
	}
	p.delay.Store(0)
	p.reset() // nobody waits for what will never come
	t.Logf("answered again after %v", l.works(5*time.Second))
	l.verify()
}
