package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway"
	"jobgate/gateway/target"
)

// TestUpstreamIdentity checks that in each auth.mode, the upstream gets the authenticated name and no other.
func TestUpstreamIdentity(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen.Store(r) }))
	defer backend.Close()
	f := func(auth gateway.Auth, want []string, header ...string) {
		t.Helper()
		auth.Header = "X-Thing-Name"
		g := newGateway(t, func(c *gateway.Config, g *testGateway) {
			withUpstream(backend.URL)(c, g)
			c.Auth = auth
		})
		s, _ := runServer(t, g, nil)
		seen.Store(nil)
		r := roundTrip(t, dial(t, s.Addr("listen")), "GET", "/x", "", append(header, "X_Thing_Name: victim")...)
		if r.StatusCode != 200 || seen.Load() == nil {
			t.Fatalf("mode %v: %d %s", auth.Mode, r.StatusCode, r.body)
		}
		if got := seen.Load().Header.Values("X-Thing-Name"); strings.Join(got, "|") != strings.Join(want, "|") || seen.Load().Header.Get("X_thing_name") != "" {
			t.Errorf("mode %v: the upstream saw %q, want %q", auth.Mode, got, want)
		}
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	verify := func(ctx *fasthttp.RequestCtx, _ *target.Target, _ time.Time) (gateway.Caller, error) {
		return key(ctx.Request.Header.Peek("Authorization")), nil
	}
	f(gateway.Auth{Mode: gateway.AuthNone}, nil, "X-Thing-Name: victim")
	f(gateway.Auth{Mode: gateway.AuthNone, TrustedProxies: loopback}, nil, "X-Thing-Name: victim")
	f(gateway.Auth{Mode: gateway.AuthHeader, TrustedProxies: loopback}, []string{"t1"}, "X-Thing-Name: t1")
	f(gateway.Auth{Mode: gateway.AuthHeader, TrustedProxies: loopback}, []string{"t1"}, "X-Thing-Name: t1", "Connection: X-Thing-Name")
	f(gateway.Auth{Mode: gateway.AuthSigV4, Verify: verify}, []string{"t1"}, "Authorization: t1", "X-Thing-Name: victim")
}

// TestAmbiguousPathsNotForwarded checks that with authentication, no path is forwarded that an upstream may read differently
// than the gateway.
func TestAmbiguousPathsNotForwarded(t *testing.T) {
	var forwarded atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { forwarded.Add(1) }))
	defer backend.Close()
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(backend.URL)(c, g)
		c.Auth = gateway.Auth{Mode: gateway.AuthHeader, Header: "X-Thing-Name", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	s, _ := runServer(t, g, nil)
	ask := func(path string) int {
		return roundTrip(t, dial(t, s.Addr("listen")), "GET", path, "", "X-Thing-Name: t1").StatusCode
	}
	for _, path := range []string{
		"//api/victim/job", "/api/./victim/job", "/x/../api/victim/job", "/api/victim%2fjob", "/api%2Fvictim/job", "/api/victim%5cjob",
		`/api\victim/job`, "/%2e/api/victim/job", "/x/%2E%2E/api/victim/job", "http://h//api/victim/job",
	} {
		if status := ask(path); status != 400 || forwarded.Load() != 0 {
			t.Errorf("%s: %d, forwarded %d times", path, status, forwarded.Load())
		}
	}
	if status := ask("/api/t1/job"); status != 200 || forwarded.Load() != 1 {
		t.Errorf("an unambiguous path: %d, forwarded %d times", status, forwarded.Load())
	}
}

// TestUnfilledIsCounted checks that an answer that cannot be filled is refused, or forwarded if the route allows that, and is
// counted.
func TestUnfilledIsCounted(t *testing.T) {
	upstream, answer := scriptedUpstream(t)
	answer.Store("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}")
	f := func(pass bool, status int, action string) {
		t.Helper()
		g := newGateway(t, func(c *gateway.Config, g *testGateway) {
			withUpstream(upstream)(c, g)
			c.Routes[len(c.Routes)-1].PassUnfilled = pass
		})
		if r := g.get("/api/t1/job"); r.StatusCode != status {
			t.Errorf("pass %v: %d %s", pass, r.StatusCode, r.body)
		}
		families, err := g.metrics.Registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				if family.GetName() != "jobgate_fill_skipped_total" || m.GetCounter().GetValue() == 0 {
					continue
				}
				if labels := m.GetLabel(); labels[0].GetValue() != action || labels[1].GetValue() != "content_encoding" || m.GetCounter().GetValue() != 1 {
					t.Errorf("pass %v: counted %v", pass, m)
				}
				action = ""
			}
		}
		if action != "" {
			t.Errorf("pass %v: not counted", pass)
		}
		if !pass && !strings.Contains(g.log.String(), "content_encoding") {
			t.Errorf("the log does not have the reason: %s", g.log)
		}
	}
	f(false, 502, "refused")
	f(true, 200, "passed")
}
