package connections

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFlood closes a flood's three connections and expects them to reconnect: one sends nothing, one half a request, and
// one half a request and then slow bytes.
func TestFlood(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	received := map[string]int{}
	var serving sync.WaitGroup
	serving.Go(func() {
		for range 6 {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				text, b := "", make([]byte, 256)
				_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
				for {
					n, err := c.Read(b)
					text += string(b[:n])
					if err != nil {
						break
					}
				}
				mu.Lock()
				received[strings.TrimRight(text, "x")]++
				if text != "" && strings.HasSuffix(text, "x") {
					received["slow"]++
				}
				mu.Unlock()
			})
		}
	})
	ended := make(chan held)
	h := holding{Port: l.Addr().(*net.TCPAddr).Port, Connections: 3, Flood: true, Every: 30 * time.Millisecond, Again: 100 * time.Millisecond}
	go func() { ended <- h.flood(ctx) }()
	serving.Wait()
	cancel()
	r := <-ended
	half := "GET /hot HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
	if received[""] == 0 || received[half] < 2 || received["slow"] == 0 || r.Opened < 6 {
		t.Errorf("received %v; the flood reports %+v", received, r)
	}
}
