package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves the connections of a Listener. *HTTP is one.
type Server interface {
	// Serve returns nil once Shutdown was called or l is closed.
	Serve(l net.Listener) error
	// Shutdown closes idle connections and waits for requests in progress. If ctx ends first, it returns ctx's error, and the
	// Group closes the remaining connections.
	Shutdown(ctx context.Context) error
}

// Member is a listener with its server.
type Member struct {
	Listener *Listener
	Server   Server
	Stop     func() // ends requests that do not end by themselves, such as event streams; may be nil
	Last     bool   // stops after the others: the operators' listener
}

// Drain configures the end of a Group.
type Drain struct {
	Delay   time.Duration // from the start of the drain until listening ends
	Timeout time.Duration // for requests in progress after that
}

// Group runs and drains listeners. Add all Members before Run.
type Group struct {
	Drain    Drain
	Log      *slog.Logger
	members  []Member
	draining atomic.Bool
}

// Add adds m to the group.
func (g *Group) Add(m Member) { g.members = append(g.members, m) }

// Draining reports whether the drain has begun.
func (g *Group) Draining() bool { return g.draining.Load() }

// Addr returns the address of the member whose listener has this name, nil if there is none.
func (g *Group) Addr(name string) net.Addr {
	for _, m := range g.members {
		if m.Listener.Name == name {
			return m.Listener.Addr()
		}
	}
	return nil
}

// Close closes the listeners of a group that does not run.
func (g *Group) Close() {
	for _, m := range g.members {
		_ = m.Listener.Close()
	}
}

// Run serves until ctx ends or a member fails, then drains: it waits for the delay, ends listening, closes idle connections,
// and waits for requests in progress. It returns nil if all requests were answered. A client that does not finish its
// request, or does not read, is disconnected at the end of the drain, which is not an error.
func (g *Group) Run(ctx context.Context) error {
	broken := make(chan error, len(g.members))
	var serving sync.WaitGroup
	watching, stop := context.WithCancel(context.Background())
	defer stop()
	for _, m := range g.members {
		serving.Go(func() {
			if err := m.Server.Serve(m.Listener); err != nil {
				broken <- fmt.Errorf("cannot serve %s: %w", m.Listener.Name, err)
			}
		})
		if m.Listener.certs != nil {
			go m.Listener.certs.Watch(watching)
		}
	}
	var err error
	select {
	case <-ctx.Done():
		g.draining.Store(true)
		g.Log.Info("draining", "delay", g.Drain.Delay, "timeout", g.Drain.Timeout)
		time.Sleep(g.Drain.Delay)
	case err = <-broken:
		g.draining.Store(true)
	}
	err = errors.Join(err, g.shutdown())
	serving.Wait()
	return err
}

// shutdown ends the members concurrently, first those without Last, then those with it.
func (g *Group) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), g.Drain.Timeout)
	defer cancel()
	return errors.Join(g.end(ctx, false), g.end(ctx, true))
}

func (g *Group) end(ctx context.Context, last bool) error {
	failures := make([]error, len(g.members))
	var ending sync.WaitGroup
	for i, m := range g.members {
		if m.Last == last {
			ending.Go(func() { failures[i] = m.end(ctx, g.Drain.Timeout) })
		}
	}
	ending.Wait()
	return errors.Join(failures...)
}

// cutGrace is how long servers may take to notice that connections were closed.
const cutGrace = 2 * time.Second

// end drains one member. When ctx ends, the remaining connections are closed, which ends requests that wait for their client.
// A request still in progress after that is lost.
func (m *Member) end(ctx context.Context, timeout time.Duration) error {
	_ = m.Listener.Close() // Shutdown does not if Serve has not begun yet
	if m.Stop != nil {
		m.Stop()
	}
	err := m.Server.Shutdown(ctx)
	m.Listener.StopParking(ctx)
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	m.Listener.cut()
	for end := time.Now().Add(cutGrace); time.Now().Before(end); time.Sleep(cutGrace / 200) {
		if m.Listener.open.Load() == 0 {
			return nil
		}
	}
	return fmt.Errorf("cannot drain %s within drain.timeout %v: %d connections still have a request under way", m.Listener.Name, timeout, m.Listener.open.Load())
}
