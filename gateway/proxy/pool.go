package proxy

import (
	"sync"
	"time"
)

// maxIdle is how long a connection is kept without a request, unless its upstream closes it earlier or announces a
// shorter time (Keep-Alive: timeout=…).
const maxIdle = 30 * time.Second

// pool keeps the idle connections to one upstream, the most recently used last. Safe for concurrent use; the zero pool
// is ready for use.
type pool struct {
	mu     sync.Mutex
	idle   []*conn
	timer  *time.Timer // runs while there are idle connections
	closed bool
}

// take returns a connection that can be used at now, or nil. It closes those that expired, that the upstream closed, or on
// which the upstream sent unsolicited data.
func (p *pool) take(now time.Time) *conn {
	for {
		c := p.pop()
		if c == nil {
			return nil
		}
		if now.Before(c.expires) && c.watch.silent() {
			return c
		}
		_ = c.Close()
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle[n], p.idle = nil, p.idle[:n]
	return c
}

// put keeps c for another request until c.expires.
func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, c)
	if p.timer == nil {
		p.timer = time.AfterFunc(maxIdle, p.sweep)
	} else if len(p.idle) == 1 {
		p.timer.Reset(maxIdle)
	}
}

// sweep closes expired connections.
func (p *pool) sweep() {
	now := time.Now()
	p.mu.Lock()
	var old []*conn
	kept := p.idle[:0]
	for _, c := range p.idle {
		if now.Before(c.expires) {
			kept = append(kept, c)
		} else {
			old = append(old, c)
		}
	}
	clear(p.idle[len(kept):])
	if p.idle = kept; len(kept) > 0 && !p.closed {
		p.timer.Reset(maxIdle)
	}
	p.mu.Unlock()
	for _, c := range old {
		_ = c.Close()
	}
}

// close closes the idle connections. Those in use are closed after their request.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for _, c := range p.idle {
		_ = c.Close()
	}
	p.idle = nil
}
