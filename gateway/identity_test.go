package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway"
	"jobgate/gateway/jobs/api/data"
	"jobgate/gateway/target"
)

// identityEcho is a jobs service that answers with the caller's identity.
type identityEcho struct{}

func (identityEcho) Match(_ []byte, x *data.Exchange) bool {
	return string(x.Target.Path()) == "/things/t1/jobs"
}

func (identityEcho) Serve(ctx *fasthttp.RequestCtx, x *data.Exchange) {
	_, _ = fmt.Fprintf(ctx, "%q %v %q", x.Thing, x.Authenticated, ctx.PostBody())
}

// key is a Caller that acts for one thing.
type key string

func (k key) Name() string { return string(k) }

func (k key) ActsFor(thing []byte) bool { return string(k) == string(thing) }

// TestSignedRequests checks that with auth.mode sigv4, neither a document nor an operation of the jobs service is served
// without a valid signature.
func TestSignedRequests(t *testing.T) {
	denied := &gateway.Error{Status: 403, Code: "InvalidSignature", Message: "no"}
	g := newGateway(t, func(c *gateway.Config, _ *testGateway) {
		c.Jobs = identityEcho{}
		c.Auth = gateway.Auth{Mode: gateway.AuthSigV4, Verify: func(ctx *fasthttp.RequestCtx, _ *target.Target, _ time.Time) (gateway.Caller, error) {
			signer := string(ctx.Request.Header.Peek("Authorization"))
			if signer == "" {
				return nil, denied
			}
			return key(signer), nil
		}}
	})
	g.write("v7.json", "{}")
	f := func(method, path, signer string, wantStatus int, wantBody string) {
		t.Helper()
		headers := []string{}
		if signer != "" {
			headers = append(headers, "Authorization: "+signer)
		}
		r := g.do(method, path, "body", headers...)
		if r.StatusCode != wantStatus || wantBody != "" && r.body != wantBody {
			t.Errorf("%s %s by %q: %d %s, want %d %s", method, path, signer, r.StatusCode, r.body, wantStatus, wantBody)
		}
	}
	f("PUT", "/things/t1/jobs", "", 403, `{"code":"InvalidSignature","message":"no"}`)
	f("PUT", "/things/t1/jobs", "t1", 200, `"" true "body"`)
	f("PUT", "/things/t1/jobs", "t2", 200, `"" true "body"`) // the jobs service authorizes t2
	f("GET", "/things/t1/jobs/v7/document", "", 403, "")
	f("GET", "/things/t1/jobs/v7/document", "t1", 200, "{}")
	f("GET", "/things/t1/jobs/v7/document", "t2", 403, "")

	open := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Jobs = identityEcho{} })
	if r := open.do("PUT", "/things/t1/jobs", "body"); r.body != `"" false "body"` {
		t.Errorf("auth.mode none: %s", r.body)
	}
}

// TestAmbiguousPaths checks that with authentication, a path that a server behind the gateway could read differently is
// rejected before a route, the jobs service or an upstream sees it. Without authentication it is forwarded unchanged.
func TestAmbiguousPaths(t *testing.T) {
	seen := make(chan string, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.RequestURI }))
	defer backend.Close()
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(backend.URL)(c, g)
		c.Jobs = identityEcho{}
		c.Auth = gateway.Auth{Mode: gateway.AuthHeader, Header: "X-Thing-Name", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	open := newGateway(t, withUpstream(backend.URL))
	s, _ := runServer(t, g, nil)
	f := func(uri string, forwarded string) {
		t.Helper()
		r := roundTrip(t, dial(t, s.Addr("listen")), "GET", uri, "", "X-Thing-Name: t1")
		got := ""
		select {
		case got = <-seen:
		default:
		}
		if got != forwarded || forwarded == "" && (r.StatusCode != 400 || !strings.Contains(r.body, "InvalidRequest")) {
			t.Errorf("%s: %d %s, the upstream saw %q, want %q", uri, r.StatusCode, r.body, got, forwarded)
		}
		if r := open.do("GET", uri, ""); r.StatusCode == 400 {
			t.Errorf("auth.mode none: %s: %d %s", uri, r.StatusCode, r.body)
		}
		select {
		case <-seen:
		default:
			t.Errorf("auth.mode none: %s was not forwarded", uri)
		}
	}
	f("/api/devices/t1/log", "/api/devices/t1/log")
	f("/api/devices/t1/log/?x=//../%2f", "/api/devices/t1/log/?x=//../%2f")
	f("http://elsewhere.example/api/devices/t1/log", "/api/devices/t1/log")
	f("http://elsewhere.example?x", "/?x")
	f("//api/devices/victim/log", "")
	f("/api/./devices/victim/log", "")
	f("/x/../api/devices/victim/log", "")
	f("/x/..;/api/devices/victim/log", "")
	f("/api/devices/victim%2flog", "")
	f("/api/devices/victim%5clog", "")
	f("/api/devices\\victim/log", "")
	f("/x/%2e%2e/api/devices/victim/log", "")
	f("/api/devices/victim/log%00", "")
	if r := roundTrip(t, dial(t, s.Addr("listen")), "GET", "/api/devices/victim%zz", "", "X-Thing-Name: t1"); !strings.Contains(r.body, "percent-encoded") {
		t.Errorf("a broken escape: %d %s", r.StatusCode, r.body)
	}
	if r := roundTrip(t, dial(t, s.Addr("listen")), "PUT", "http://elsewhere.example/things/t1/jobs", "", "X-Thing-Name: t1"); r.body != `"t1" true ""` {
		t.Errorf("a jobs path in absolute form: %d %s", r.StatusCode, r.body)
	}
}

// TestIdentityToUpstream checks that the upstream gets the authenticated name exactly once, whatever else the request
// contains.
func TestIdentityToUpstream(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(echo))
	defer backend.Close()
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		withUpstream(backend.URL)(c, g)
		c.Auth = gateway.Auth{Mode: gateway.AuthHeader, Header: "X-Thing-Name", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	})
	s, _ := runServer(t, g, nil)
	f := func(status int, want string, header ...string) {
		t.Helper()
		r := roundTrip(t, dial(t, s.Addr("listen")), "GET", "/x", "", header...)
		if r.StatusCode != status || !strings.Contains(r.body, want) {
			t.Errorf("%q: got %d %s, want %d %s", header, r.StatusCode, r.body, status, want)
		}
	}
	f(http.StatusTeapot, "X-Thing-Name: t1\n", "X-Thing-Name: t1")
	f(http.StatusTeapot, "X-Thing-Name: t1\n", "X-Thing-Name: t1", "Connection: X-Thing-Name")
	f(401, "more than one", "X-Thing-Name: t1", "X-Thing-Name: t2")

	// A balancer that sends no name may still forward a trailer field of the device.
	s, _ = runServer(t, g, func(c *gateway.ServerConfig) { c.Streaming = false })
	for _, announced := range []string{"", "Trailer: x-thing-name\r\n"} {
		conn := dial(t, s.Addr("listen"))
		_, err := io.WriteString(conn, "POST /x HTTP/1.1\r\nHost: gateway.test\r\n"+announced+"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Thing-Name: t1\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q, a name in a trailer: %v %v", announced, r, err)
		}
	}
}
