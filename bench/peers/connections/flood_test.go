package connections

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFlood has a flood's three connections closed, and wants them back; one has said nothing, one half a request, and one
// has added to its half.
func TestFlood(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	said := map[string]int{}
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
				said[strings.TrimRight(text, "x")]++
				if text != "" && strings.HasSuffix(text, "x") {
					said["slow"]++
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
	if said[""] == 0 || said[half] < 2 || said["slow"] == 0 || r.Opened < 6 {
		t.Errorf("%v; %+v", said, r)
	}
}
