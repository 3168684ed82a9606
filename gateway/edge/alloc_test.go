//go:build !race

package edge_test

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// TestRequestAllocatesNothing: the layers under a handler do not allocate per request.
func TestRequestAllocatesNothing(t *testing.T) {
	body := []byte("ok")
	s := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.Response.SetBodyRaw(body) }, func(o *edge.Options, h *edge.HTTPOptions, _ *edge.Drain) {
		h.Route = o.Metrics.Route("quiet", nil) // otherwise each request is logged at level debug
	})
	conn := s.dial(t)
	_ = conn.SetDeadline(time.Time{}) // on a busy machine all requests together take over a minute
	request, buf := []byte(get), make([]byte, 4096)
	once := func() {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		once()
	}
	if allocs := testing.AllocsPerRun(2000, once); allocs >= 1 {
		t.Errorf("%v allocations a request, want 0", allocs)
	}
}

// TestReadyFaultAllocatesLittle: writing a fault from Ready allocates only the request id.
func TestReadyFaultAllocatesLittle(t *testing.T) {
	fault := (&edge.Fault{Status: 503, Code: "ServiceUnavailable", Message: "come back", RetryAfter: 2 * time.Second}).Ready()
	var ctx fasthttp.RequestCtx
	fault.Write(&ctx)
	if allocs := testing.AllocsPerRun(1000, func() { fault.Write(&ctx) }); allocs > 1 {
		t.Errorf("%v allocations, want 1", allocs)
	}
}
