package proxy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jobgate/gateway/proxy"
	"jobgate/gateway/servertest"
)

// These tests run real servers behind the gateway and in front of it.

var long = flag.Bool("long", false, "send bursts for two minutes to a Node server with its default keep-alive time-out, 5 s")

// packages names the Debian package of each server.
var packages = map[string]string{"haproxy": "haproxy", "nginx": "nginx-light", "node": "nodejs", "python3": "python3"}

// start runs a server until the test ends, and waits until it accepts connections at address. If the program is not
// installed, the test is skipped.
func start(t *testing.T, address, program string, args ...string) {
	t.Helper()
	servertest.Start(t, address, exec.Command(servertest.Program(t, program, packages[program]), args...)) //nolint:gosec // programs that this file names
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// client returns a client that keeps up to 100 idle connections.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// burst sends n requests concurrently, and checks that each is answered 200.
func burst(t *testing.T, c *http.Client, address string, n int) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			method := []string{"POST", "PATCH"}[i%2]
			r, err := http.NewRequest(method, "http://"+address+"/a", strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			answer, err := c.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != 200 {
				t.Errorf("%s: %s", method, answer.Status)
			}
		})
	}
	all.Wait()
}

// TestNode checks that no request fails because the server closes idle connections early.
func TestNode(t *testing.T) {
	t.Parallel()
	idle, every, bursts := 300*time.Millisecond, 500*time.Millisecond, 4
	if *long {
		idle, every, bursts = 5*time.Second, 8*time.Second, 15
	}
	address := servertest.FreeAddress(t)
	start(t, address, "node", "-e", fmt.Sprintf(`
const s = require("http").createServer((q, r) => { q.resume(); q.on("end", () => r.end("{}")) })
s.keepAliveTimeout = %d
s.listen(%s, "127.0.0.1")`, idle.Milliseconds(), port(address)))
	g := newGate(t, nil, "http://"+address)
	c := client(t)
	for range bursts {
		burst(t, c, g.address, 20)
		time.Sleep(every)
	}
}

// TestWSGI checks that in the variables that Python makes of a request's headers, nothing that the device claims about
// itself appears.
func TestWSGI(t *testing.T) {
	t.Parallel()
	address := servertest.FreeAddress(t)
	start(t, address, "python3", write(t, "app.py", `
import json, sys
from wsgiref.simple_server import make_server, WSGIRequestHandler
class Quiet(WSGIRequestHandler):
    def log_message(self, *args): pass
def app(environ, start):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    start("200 OK", [("Content-Type", "application/json")])
    seen = {k: v for k, v in environ.items() if k.startswith("HTTP_") or k in ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")}
    return [json.dumps(dict(seen, body=body)).encode()]
make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Quiet).serve_forever()
`), port(address))
	g := newGate(t, func(_ *proxy.Config, r *proxy.Request) { r.Identity = []byte("t1") }, "http://"+address)
	for range 3 {
		a := g.send("PUT /a%20b?c=d HTTP/1.1\r\nHost: gate\r\nX_Thing_Name: victim\r\nX-Thing_Name: victim\r\nX-Thing-Name: victim\r\nX_Forwarded_For: 6.6.6.6\r\n" +
			"Content-Length: 5\r\nContent_Length: 0\r\nX-Kept: 1\r\nConnection: close\r\n\r\nhello")
		var got map[string]string
		if err := json.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
		}
		for name, want := range map[string]string{
			"HTTP_X_THING_NAME": "t1", "HTTP_X_FORWARDED_FOR": "127.0.0.1", "HTTP_X_KEPT": "1", "HTTP_CONTENT_LENGTH": "",
			"REQUEST_METHOD": "PUT", "PATH_INFO": "/a b", "QUERY_STRING": "c=d", "body": "hello",
		} {
			if got[name] != want {
				t.Errorf("%s is %q, want %q", name, got[name], want)
			}
		}
	}
}

// nginx starts nginx with block in its http block.
func nginx(t *testing.T, address, block string) {
	t.Helper()
	folder := t.TempDir()
	config := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents {}\nhttp { access_log off;\n", folder)
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, folder, kind)
	}
	path := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(path, []byte(config+block+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, address, "nginx", "-p", folder, "-c", path, "-e", "stderr")
}

// TestNginx runs nginx behind the gateway, closing connections early, and in front of it.
func TestNginx(t *testing.T) {
	t.Parallel()
	behind, before := servertest.FreeAddress(t), servertest.FreeAddress(t)
	nginx(t, behind, "server { listen "+behind+"; keepalive_timeout 300ms; keepalive_requests 3; location / { return 200 \"$request_method $request_uri $http_x_forwarded_for\"; } }")
	g := newGate(t, func(_ *proxy.Config, r *proxy.Request) { r.Trusted = true }, "http://"+behind)
	c := client(t)
	for range 3 {
		burst(t, c, g.address, 20)
		time.Sleep(500 * time.Millisecond)
	}
	nginx(t, before, "upstream gate { server "+g.address+"; keepalive 10; }\nserver { listen "+before+"; location / { proxy_pass http://gate; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header X-Forwarded-For 198.51.100.7; } }")
	for range 3 {
		burst(t, c, before, 20)
		if a, err := exchange(before, "GET /a%2Fb?c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil || a.body != "GET /a%2Fb?c 198.51.100.7, 127.0.0.1" {
			t.Errorf("through nginx: %v %q", err, a.body)
		}
	}
}

// TestHAProxy runs HAProxy behind the gateway, closing connections early, and in front of it.
func TestHAProxy(t *testing.T) {
	t.Parallel()
	behind, before := servertest.FreeAddress(t), servertest.FreeAddress(t)
	const times = "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\n timeout http-keep-alive 300ms\n"
	start(t, behind, "haproxy", "-db", "-f", write(t, "behind.cfg", times+"frontend f\n bind "+behind+"\n http-request return status 200 content-type text/plain lf-string \"%[method] %[pathq] %[req.fhdr(x-forwarded-for)]\"\n"))
	g := newGate(t, func(_ *proxy.Config, r *proxy.Request) { r.Trusted = true }, "http://"+behind)
	c := client(t)
	for range 3 {
		burst(t, c, g.address, 20)
		time.Sleep(500 * time.Millisecond)
	}
	start(t, before, "haproxy", "-db", "-f", write(t, "before.cfg", times+"frontend f\n bind "+before+"\n default_backend b\nbackend b\n http-reuse always\n http-request set-header X-Forwarded-For 198.51.100.7\n server s "+g.address+"\n"))
	for range 3 {
		burst(t, c, before, 20)
		if a, err := exchange(before, "GET /a%2Fb?c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil || !strings.HasPrefix(a.body, "GET /a%2Fb?c") || !strings.Contains(a.body, "198.51.100.7, 127.0.0.1") {
			t.Errorf("through haproxy: %v %q", err, a.body)
		}
	}
}
