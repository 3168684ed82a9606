//go:build !race

package load

import (
	"net"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// The whole path of a request without the system calls: template, write, parse, check,
// record.
func BenchmarkRequest(b *testing.B) {
	w, a := cannedWorker(b)
	b.ReportAllocs()
	for b.Loop() {
		w.do(a)
	}
}

// The same bytes through fasthttp's own client, which checks and records nothing.
func BenchmarkRequest_HostClient(b *testing.B) {
	c := &fasthttp.HostClient{Addr: "host:80", Dial: func(string) (net.Conn, error) {
		return &canned{answer: []byte(cannedAnswer)}, nil
	}}
	var req fasthttp.Request
	var resp fasthttp.Response
	req.SetRequestURI("http://host/things/thing-0005")
	req.Header.Set("X-Thing-Name", "thing-0005")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.DoTimeout(&req, &resp, time.Second); err != nil {
			b.Fatal(err)
		}
	}
}
