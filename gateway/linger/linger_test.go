package linger_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/linger"
)

// A client that sends all of a request that is too large reads the answer to it, once, every time.
func TestAnswer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &fasthttp.Server{
		MaxRequestBodySize: 1000, Logger: nothing{},
		Handler: func(*fasthttp.RequestCtx) {},
		ErrorHandler: func(ctx *fasthttp.RequestCtx, _ error) {
			ctx.Error("too large", http.StatusRequestEntityTooLarge)
			linger.Answer(ctx)
		},
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(linger.Listener{Listener: ln}) }()
	body := strings.Repeat("x", 4<<20)
	for range 20 {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		if _, err := conn.Write([]byte("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n" + body)); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
			t.Fatalf("%v %v", res, err)
		}
		var text [100]byte
		n, _ := res.Body.Read(text[:])
		if _, err := r.Peek(1); string(text[:n]) != "too large" || err == nil {
			t.Errorf("%q, and more follows: %v", text[:n], err == nil)
		}
		_ = conn.Close()
	}
	if err := server.Shutdown(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

type nothing struct{}

func (nothing) Printf(string, ...any) {}
