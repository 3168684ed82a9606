package edge

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"testing"
	"time"
)

// interrupts is a socket that counts the interruptions of its reads.
type interrupts struct {
	net.Conn
	n int
}

func (i *interrupts) SetReadDeadline(t time.Time) error {
	if t.Equal(past) {
		i.n++
	}
	return nil
}

// A connection is parked soon after its first request and after one that follows a long silence, but not while it polls.
func TestParkedBySilence(t *testing.T) {
	f := func(what string, wait uint32, asks []uint32, want ...uint32) {
		t.Helper()
		l := &Listener{Options: Options{Metrics: NewMetrics()}}
		l.wheel.wait.Store(wait)
		sock := &interrupts{}
		c := &Conn{Conn: sock, sock: sock, listener: l}
		l.wheel.add(c, soonTicks+1)
		var parked []uint32
		inWheel := true
		for tick := range uint32(300) {
			l.advance(tick)
			if sock.n > 0 {
				parked, sock.n, inWheel = append(parked, tick), 0, false
				l.wheel.remove(c)
			}
			for _, at := range asks {
				if at != tick {
					continue
				}
				if !inWheel {
					inWheel = true
					l.wheel.add(c, soonTicks+1)
				}
				c.SetState(Active)
				c.SetState(Idle)
			}
		}
		if !slices.Equal(parked, want) {
			t.Errorf("%s: parked at %v, want %v", what, parked, want)
		}
	}
	f("silent from the beginning", parkTicks, nil)
	f("one request", parkTicks, []uint32{0}, 3)
	f("one request, soon after the start", parkTicks, []uint32{10}, 12)
	f("one request, later", parkTicks, []uint32{100}, 107)
	f("some requests at once", parkTicks, []uint32{0, 0, 0}, 3)
	f("polling", parkTicks, []uint32{0, 20, 40, 60, 80, 100}, 3, 140)
	f("polling fast", parkTicks, []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8}, 48)
	f("polling slowly", parkTicks, []uint32{0, 50, 100, 150}, 3, 53, 103, 153)
	f("no longer polling", parkTicks, []uint32{0, 20, 200}, 3, 60, 203)
	f("polling near the limits", nearTicks, []uint32{0, 20, 40}, 3, 24, 44)
	f("parking has ended", 0, []uint32{0, 20})
}

// A request that arrives while the read is interrupted is read, and so is the next.
func TestInterruptedRequest(t *testing.T) {
	client, sock := net.Pipe()
	l := &Listener{Options: Options{Metrics: NewMetrics()}, readSlack: time.Second}
	l.wheel.wait.Store(parkTicks)
	c := &Conn{Conn: sock, sock: sock, listener: l}
	f := func(state State, deadline time.Time) {
		t.Helper()
		c.SetState(state)
		_ = c.SetReadDeadline(deadline)
		interrupting := make(chan struct{})
		go func() {
			_ = sock.SetReadDeadline(past)
			close(interrupting)
			_, _ = io.WriteString(client, "x")
		}()
		<-interrupting
		if n, err := c.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Errorf("state %d: %d bytes, %v", state, n, err)
		}
	}
	for _, deadline := range []time.Time{{}, time.Now().Add(time.Minute)} {
		f(Active, deadline)
		f(Idle, deadline)
	}
	_ = c.SetReadDeadline(time.Now())
	if _, err := c.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after its deadline: %v", err)
	}
}

// Each connection is in its slot, at its index, whatever is added and removed.
func TestWheel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var w wheel
	var in []*Conn
	for range 20000 {
		switch k := r.IntN(len(in) + 1); {
		case r.IntN(5) == 0:
			w.now.Add(1)
		case k == len(in) || r.IntN(3) == 0:
			c := &Conn{}
			w.add(c, 1+r.Uint32N(63))
			in = append(in, c)
		default:
			w.remove(in[k])
			in = slices.Delete(in, k, k+1)
		}
	}
	n := 0
	for i, slot := range w.slots {
		for j, c := range slot {
			if int(c.slot) != i || int(c.index) != j {
				t.Fatalf("a connection in slot %d, index %d, records %d, %d", i, j, c.slot, c.index)
			}
			n++
		}
	}
	if n != len(in) || n == 0 {
		t.Errorf("%d connections are in the wheel, want %d", n, len(in))
	}
}
