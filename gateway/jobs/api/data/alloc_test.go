//go:build !race

package data

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/target"

	"jobgate/gateway/signing/signingtest"
)

// One allocation per request: the thing's name, which the service needs as a string. A job's id, if given, is another.
func TestServeAllocs(t *testing.T) {
	f := func(what, uri, document string, found bool, want float64) {
		t.Helper()
		d, service, _ := newFake(t, document)
		service.found = found
		var ctx fasthttp.RequestCtx
		request(&ctx, "GET", uri, "")
		var v device
		got := testing.AllocsPerRun(1000, func() {
			ctx.Response.Reset()
			v.serve(d, &ctx, testTime, nil, false)
		})
		if got > want {
			t.Errorf("%s: %v allocations, want %v", what, got, want)
		}
	}
	f("nothing pending", "/things/sensor:1/jobs/$next", signingtest.SharedDocument, false, 1)
	f("next", "/things/sensor:1/jobs/$next", signingtest.SharedDocument, true, 1)
	f("by id", "/things/sensor:1/jobs/update-7", signingtest.SharedDocument, true, 2)
	f("encoded", "/things/sensor%3A1/jobs/%24next", signingtest.SharedDocument, true, 1)
	f("with a query", "/things/sensor:1/jobs/$next?includeJobDocument=true&executionNumber=1", signingtest.SharedDocument, true, 1)
	f("per device", "/things/sensor:1/jobs/$next", signingtest.PerDeviceDocument, true, 1)
	f("nothing to sign", "/things/sensor:1/jobs/$next", plainDocument, true, 1)
	f("pending", "/things/sensor:1/jobs", plainDocument, true, 1)
}

func TestMatchAllocs(t *testing.T) {
	d, _, _ := newFake(t, plainDocument)
	method, path := []byte("GET"), []byte("/things/sensor%3A1/jobs/%24next")
	var asked target.Target
	x := Exchange{Target: &asked}
	if n := testing.AllocsPerRun(100, func() { _ = asked.Parse(path); d.Match(method, &x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkServe(b *testing.B) {
	f := func(name, document string, found bool) {
		b.Run(name, func(b *testing.B) {
			d, service, _ := newFake(b, document)
			service.found = found
			var ctx fasthttp.RequestCtx
			request(&ctx, "GET", "/things/sensor:1/jobs/$next", "")
			var v device
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				v.serve(d, &ctx, testTime, nil, false)
			}
		})
	}
	f("nothing", signingtest.SharedDocument, false)
	f("shared", signingtest.SharedDocument, true)
	f("per_device", signingtest.PerDeviceDocument, true)
}

// For comparison: a handler that only writes an answer of the same size.
func BenchmarkServe_Bare(b *testing.B) {
	d, _, _ := newFake(b, signingtest.SharedDocument)
	var ctx fasthttp.RequestCtx
	request(&ctx, "GET", "/things/sensor:1/jobs/$next", "")
	new(device).serve(d, &ctx, time.Now(), nil, false)
	body := append([]byte(nil), ctx.Response.Body()...)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		ctx.Response.Header.SetContentTypeBytes(contentType)
		ctx.Response.SetBody(body)
	}
}
