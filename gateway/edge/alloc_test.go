//go:build !race

package edge_test

import (
	"testing"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// TestRequestAllocatesNothing: the layers under a handler cost a request no allocation.
func TestRequestAllocatesNothing(t *testing.T) {
	body := []byte("ok")
	s := serve(t, func(ctx *fasthttp.RequestCtx) { ctx.Response.SetBodyRaw(body) }, func(o *edge.Options, h *edge.HTTPOptions, _ *edge.Drain) {
		h.Route = o.Metrics.Route("quiet", nil) // each request is logged at level debug
	})
	conn := s.dial(t)
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
