package edge

import (
	"net"
	"sync"
	"testing"
)

// A connection that is closed while its goroutine changes its state is no longer counted in any state.
func TestCloseCountsOnce(t *testing.T) {
	l := &Listener{Options: Options{Metrics: NewMetrics()}}
	f := func(what string, first, last State, together bool) {
		t.Helper()
		client, sock := net.Pipe()
		defer func() { _ = client.Close() }()
		l.open.Add(1)
		conn := l.admit(sock, false)
		c := Of(conn)
		c.SetState(first)
		var serving sync.WaitGroup
		begun, closing := make(chan struct{}), make(chan struct{})
		serving.Go(func() {
			close(begun)
			if !together {
				<-closing
			}
			for ended := false; !ended; {
				select {
				case <-closing:
					ended = true
				default:
				}
				c.SetState(Idle)
				c.SetState(Active)
			}
			c.SetState(last)
		})
		<-begun
		if err := c.Close(); err != nil {
			t.Errorf("%s: Close: %v", what, err)
		}
		close(closing)
		serving.Wait()
		if err := c.Close(); err == nil {
			t.Errorf("%s: a second Close returns no error", what)
		}
		if open, fresh, active := l.open.Load(), l.fresh.Load(), l.active.Load(); open != 0 || fresh != 0 || active != 0 {
			t.Fatalf("%s: %d connections are open, %d fresh, %d active; want none", what, open, fresh, active)
		}
	}
	for _, first := range []State{Fresh, Active, Idle} {
		for _, last := range []State{Active, Idle} {
			f("closed before the change", first, last, false)
			for range 200 {
				f("closed during the change", first, last, true)
			}
		}
	}
}
