package edge_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

func TestFaultEncodings(t *testing.T) {
	fault := &edge.Fault{Status: 503, Code: "ServiceUnavailable", Message: `say "a<b>&c"`, RetryAfter: 2 * time.Second, Err: errors.New("secret cause")}
	f := func(name string, write func(*fasthttp.RequestCtx) string, body string, keepsHeaders bool) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		ctx.Response.Header.Set("Allow", "GET")
		ctx.Response.SetBodyString("half an answer")
		id := write(&ctx)
		h := &ctx.Response.Header
		if got := string(ctx.Response.Body()); got != body {
			t.Errorf("%s: body %s, want %s", name, got, body)
		}
		if ctx.Response.StatusCode() != 503 || string(h.Peek("X-Amzn-ErrorType")) != "ServiceUnavailableException" ||
			id == "" || string(h.Peek("X-Amzn-RequestId")) != id || string(h.Peek("Cache-Control")) != "no-store" || string(h.ContentType()) != "application/json" {
			t.Errorf("%s: %s", name, h)
		}
		if after := string(h.Peek("Retry-After")); after != "2" && after != "3" && after != "4" {
			t.Errorf("%s: Retry-After %q is not between 2 and 4", name, after)
		}
		if kept := h.Peek("Allow") != nil; kept != keepsHeaders {
			t.Errorf("%s: Allow kept is %v", name, kept)
		}
	}
	f("Write", fault.Write, `{"code":"ServiceUnavailable","message":"say \"a<b>&c\""}`, true)
	f("Write after Ready", fault.Ready().Write, `{"code":"ServiceUnavailable","message":"say \"a<b>&c\""}`, true)
	f("WriteException after Ready", func(ctx *fasthttp.RequestCtx) string { return fault.Ready().WriteException(ctx, nil) },
		`{"message":"say \"a<b>&c\""}`, false)
	f("WriteException", func(ctx *fasthttp.RequestCtx) string { return fault.WriteException(ctx, nil) }, `{"message":"say \"a<b>&c\""}`, false)
	f("WriteException with members", func(ctx *fasthttp.RequestCtx) string {
		return fault.WriteException(ctx, func(dst []byte) []byte { return append(dst, `,"n":1`...) })
	}, `{"message":"say \"a<b>&c\"","n":1}`, false)
	if got, want := fault.Ready().AppendBody([]byte("foo")), fault.AppendBody([]byte("foo")); string(got) != string(want) {
		t.Errorf("AppendBody after Ready: %s", got)
	}
	if got := string(fault.AppendBody([]byte("foo"))); !strings.HasPrefix(got, `foo{"code":`) {
		t.Errorf("AppendBody: %s", got)
	}
}

// Request ids are distinct UUIDs of version 4.
func TestRequestIDs(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		var ctx fasthttp.RequestCtx
		id := (&edge.Fault{Status: 404}).Write(&ctx)
		if u, err := uuid.Parse(id); err != nil || u.Version() != 4 || u.Variant() != uuid.RFC4122 || seen[id] {
			t.Fatalf("%q, version %v: %v", id, u.Version(), err)
		}
		seen[id] = true
	}
}

func TestFaultOf(t *testing.T) {
	fault := &edge.Fault{Status: 404, Code: "ResourceNotFound"}
	if got := edge.FaultOf(fmt.Errorf("wrapped: %w", fault)); got != fault {
		t.Errorf("a wrapped fault: got %v", got)
	}
	other := errors.New("cannot open /etc/secret")
	if got := edge.FaultOf(other); got.Status != 500 || !errors.Is(got, other) || strings.Contains(got.Message, "secret") {
		t.Errorf("another error: got %+v", got)
	}
}

func TestRefusals(t *testing.T) {
	var log strings.Builder
	r := edge.Refusals{Log: slog.New(slog.NewTextHandler(&log, nil)), Limit: new(edge.LogLimit)}
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/x?X-Amz-Signature=secret")
	now := time.Unix(1e9, 0)
	f := func(status, want int) {
		t.Helper()
		log.Reset()
		for range 25 {
			r.Refused(&ctx, now, &edge.Fault{Status: status, Code: "C"}, "id")
		}
		if got := strings.Count(log.String(), "\n"); got != want {
			t.Errorf("%d: %d lines, want %d", status, got, want)
		}
	}
	f(503, 10)
	f(403, 0) // a client's error, logged at level debug
	now = now.Add(time.Second)
	r.WarnDenied = true
	f(403, 10)
	f(404, 0)
	now = now.Add(time.Second)
	f(403, 10)
	if !strings.Contains(log.String(), "not_logged=15") || strings.Contains(log.String(), "secret") {
		t.Error(log.String())
	}
}
