package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/gateway/servertest"
)

// allListeners writes the files of a gateway that has every listener and serves doc. It returns their folder and the
// configuration.
func allListeners(t *testing.T, doc string) (folder, config string) {
	t.Helper()
	folder = t.TempDir()
	gatetest.WriteFile(t, folder, "doc.json", doc)
	writeKeys(t, folder)
	return folder, strings.ReplaceAll(`
presign: {allow: ["arn:aws:s3:::b/*"]}
control: 127.0.0.1:0
sidecar: 127.0.0.1:0
jobs: {enabled: true, store: $DIR/jobs.db, access_keys_file: $DIR/keys.yaml}
routes: [{path: /doc, document: "file://$DIR/doc.json"}]
`, "$DIR", folder)
}

// seemsSigned returns headers with a wrong signature. control reads the request's body to check it.
func seemsSigned() string {
	now := time.Now().UTC()
	return fmt.Sprintf("Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=0\r\nX-Amz-Date: %s\r\n",
		operatorKey.AccessKeyID, now.Format("20060102"), now.Format("20060102T150405Z"))
}

// flood tries to open n connections to address, and sends the same bytes on each.
func flood(t *testing.T, address string, n int, sent string) {
	t.Helper()
	for range n {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, sent)
	}
}

// answers checks that a listener answers on a new connection.
func answers(t *testing.T, url string) {
	t.Helper()
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := ask(c, http.MethodGet, url, "")
	if err != nil || a.status != http.StatusOK {
		t.Errorf("%s: %d %v", url, a.status, err)
	}
}

// serveWithin is serve with a shell's ulimit.
func serveWithin(t *testing.T, folder, config, ulimit string) *gateway {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux: the limit on open files is set with a shell's ulimit -n")
	}
	cmd := command(folder, []string{"AWS_REGION=us-east-1"}, "serve", "--config", config)
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", "ulimit " + ulimit + ` && exec "$0" "$@"`, binary}, cmd.Args[1:]...)
	return launch(t, cmd, config)
}

// TestFilesForUpstreams checks that every accepted connection is proxied, even with a low limit on open files, and that the
// soft limit is raised to the hard one.
func TestFilesForUpstreams(t *testing.T) {
	t.Parallel()
	f := func(ulimit string, least, most float64) {
		t.Helper()
		release := make(chan struct{})
		var held atomic.Int64
		backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			held.Add(1)
			<-release
			_, _ = io.WriteString(w, "ok")
		}))
		t.Cleanup(backend.Close)
		ended := sync.OnceFunc(func() { close(release) })
		t.Cleanup(ended)
		folder := t.TempDir()
		g := serveWithin(t, folder, newConfig(t, folder, "upstream: [\""+backend.URL+"\"]\nlimits: {upstream_timeout: 5m, idle_timeout: 5m}\n"), ulimit)
		shed := func() float64 { return g.metric(`jobgate_requests_shed_total{reason="connections"}`) }
		flood(t, g.devices, 600, "GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
		servertest.Eventually(t, ulimit+": each connection is accepted or rejected", func() bool { return float64(held.Load())+shed() == 600 })
		if n := float64(held.Load()); n < least || n > most {
			t.Errorf("%s: %v requests are proxied, want %v to %v", ulimit, n, least, most)
		}
		answers(t, "http://"+g.admin+"/healthz")
		answers(t, "http://"+g.admin+"/metrics")
		ended()
		servertest.Eventually(t, ulimit+": all are answered", func() bool {
			return g.metric(`jobgate_request_duration_seconds_count{outcome="ok",route="proxy"}`) == float64(held.Load())
		})
		for _, outcome := range []string{"bad_gateway", "unavailable"} {
			if n := g.metric(`jobgate_request_duration_seconds_count{outcome="` + outcome + `",route="proxy"}`); n > 0 {
				t.Errorf("%s: %v requests are %s", ulimit, n, outcome)
			}
		}
	}
	f("-n 256", 40, 72)
	f("-Sn 256", 600, 600)
}

// TestFloods checks, with 256 open files and many more connections, that a flood of one listener does not affect the others.
func TestFloods(t *testing.T) {
	t.Parallel()
	folder, text := allListeners(t, `{}`)
	config := newConfig(t, folder, text)
	g := serveWithin(t, folder, config, "-n 256")
	flood(t, g.Address("control"), 300, "")
	flood(t, g.sidecar, 300, "")
	for _, url := range []string{"http://" + g.admin + "/healthz", "http://" + g.admin + "/metrics", "http://" + g.devices + "/doc"} {
		answers(t, url)
	}
	if n := g.metric(`jobgate_connections{listener="control",state="fresh"}`); n == 0 || n > 60 {
		t.Errorf("control has %v silent connections", n)
	}
	for _, sent := range []string{"", "GET /doc HTTP/1.1\r\nHost: x\r\n\r\n"} { // silent devices, and devices that send one request
		flood(t, g.devices, 600, sent)
		answers(t, "http://"+g.admin+"/healthz")
		answers(t, "http://"+g.admin+"/metrics")
	}
	if n := g.metric(`jobgate_requests_shed_total{reason="connections"}`); n < 1200 {
		t.Errorf("%v connections were rejected, want at least 1200", n)
	}
	g.Signal(syscall.SIGTERM)
	if code := g.Wait(); code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
}

// TestDrainWithHangingClients stops a gateway while each listener has clients that are silent, send half a request, send a
// slow body, or do not read the answers.
func TestDrainWithHangingClients(t *testing.T) {
	t.Parallel()
	folder, config := allListeners(t, `{"x": "`+strings.Repeat("x", 900<<10)+`"}`)
	// The time-outs are longer than the test. Without credentials the sidecar's answers would be small errors, which fit into
	// the sockets' buffers, so a client that does not read them would not block.
	env := []string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret", "JOBGATE_DRAIN_TIMEOUT=2s"}
	g := serve(t, folder, env, config+"limits: {read_timeout: 10m, idle_timeout: 10m}\n")
	many := func(n int, request string) string { return strings.Repeat(request, n) }
	body := `{"x": "` + strings.Repeat("x", 900<<10) + `"}`
	render := fmt.Sprintf("POST /render HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	unread := map[string]string{
		g.devices: many(20, "GET /doc HTTP/1.1\r\nHost: x\r\n\r\n"), g.sidecar: many(20, render),
		g.admin: many(1000, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), g.Address("control"): many(50000, "GET /jobs HTTP/1.1\r\nHost: x\r\n\r\n"),
	}
	for address, requests := range unread {
		flood(t, address, 5, "")
		flood(t, address, 5, "POST /render HTTP/1.1\r\nHost: local")
		flood(t, address, 5, "POST /render HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+seemsSigned()+"Content-Length: 100\r\n\r\n{")
		go flood(t, address, 1, requests)
	}
	for _, listener := range []string{"listen", "sidecar", "control", "admin"} {
		servertest.Eventually(t, listener+" has hanging clients", func() bool { return g.metric(`jobgate_connections{listener="`+listener+`",state="active"}`) >= 11 })
	}
	began := time.Now()
	g.Signal(syscall.SIGTERM)
	if code := g.Wait(); code != 0 {
		t.Errorf("exit %d after %v, want 0", code, time.Since(began))
	}
}

// TestProxyProtocol runs a real haproxy in front, which sends the device's address by the PROXY protocol.
func TestProxyProtocol(t *testing.T) {
	haproxy := servertest.Program(t, "haproxy", "haproxy")
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-For"))
	}))
	t.Cleanup(backend.Close)
	folder := t.TempDir()
	g := serve(t, folder, []string{"AWS_REGION=us-east-1"}, "upstream: [\""+backend.URL+"\"]\nauth: {mode: none, trusted_proxies: [127.0.0.1/32]}\n")
	config := gatetest.WriteFile(t, folder, "haproxy.cfg", fmt.Sprintf(`
defaults
  mode tcp
  timeout connect 10s
  timeout client 60s
  timeout server 60s
listen front
  bind fd@3
  server gateway %s send-proxy-v2
`, g.devices))
	listener, err := net.Listen("tcp", "127.0.0.1:0") // haproxy inherits it, so that its port is free
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	cmd := exec.Command(haproxy, "-db", "-f", config)
	cmd.ExtraFiles = []*os.File{file}
	var log gatetest.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	f := func(address, from, want string) {
		t.Helper()
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
		a, err := ask(c, http.MethodGet, "http://"+address+"/x", "")
		if err != nil || a.status != http.StatusOK || a.body != want {
			t.Errorf("from %s: %d %q %v, want %q\n%s", from, a.status, a.body, err, want, log.String())
		}
	}
	f(address, "127.0.0.2", "127.0.0.2")   // the address from haproxy
	f(g.devices, "127.0.0.1", "127.0.0.1") // without the PROXY protocol, which is optional
}

// TestEveryListener sends invalid and incomplete requests to each listener.
func TestEveryListener(t *testing.T) {
	t.Parallel()
	folder, config := allListeners(t, `{}`)
	g := serve(t, folder, []string{"AWS_REGION=us-east-1"}, config+
		"limits: {read_timeout: 1s, max_request_header: 2KiB, max_body: 4KiB}\nupstream: [\"http://127.0.0.1:1\"]\n") // with an upstream, devices' bodies are streamed
	header := "POST /render HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + seemsSigned()
	addresses := map[string]string{"listen": g.devices, "sidecar": g.sidecar, "control": g.Address("control"), "admin": g.admin}
	t.Run("listeners", func(t *testing.T) {
		for name, address := range addresses {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				refusesIncomplete(t, address, header, name != "listen") // on listen, the route handles the body
			})
		}
	})
	var half answer
	servertest.Eventually(t, "half a body is answered", func() bool {
		half = raw(t, g.devices, "PUT /things/a/jobs/$next HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{")
		return half.status != 0
	})
	if half.status != http.StatusRequestTimeout {
		t.Errorf("half a chunked body of a jobs operation: %d %s, want 408", half.status, half.body)
	}
	if a := raw(t, g.devices, "GET /doc HTTP/1.1\r\nHost: x\r\n\r\n"); a.status != http.StatusOK {
		t.Errorf("a document: %d %s", a.status, a.body)
	}
	if a := raw(t, g.Address("control"), "GET /jobs HTTP/1.1\r\nHost: x\r\n\r\n"); a.status != http.StatusForbidden {
		t.Errorf("an unsigned call: %d %s", a.status, a.body)
	}
	if n := g.metric(`jobgate_request_duration_seconds_count{outcome="denied",route="control"}`); n < 1 {
		t.Errorf("control has refused %v callers, want at least 1", n)
	}
	for _, line := range []string{
		`level=WARN msg="request refused" status=403 error="MissingAuthenticationToken: `, `level=DEBUG msg=request route=/doc status=200 duration=`, `msg=request route=control status=403`,
	} {
		servertest.Eventually(t, "the log has "+line, func() bool { return strings.Contains(g.Log.String(), line) })
	}
}

// refusesIncomplete sends a listener invalid and incomplete requests, with bodies also incomplete bodies. header is a valid
// header without its end.
func refusesIncomplete(t *testing.T, address, header string, bodies bool) {
	t.Helper()
	if rest, err := io.ReadAll(dial(t, address)); err != nil || len(rest) > 0 {
		t.Errorf("a silent connection got %q, %v before its end, want nothing", rest, err)
	}
	f := func(what, sent string, want int) {
		t.Helper()
		var a answer
		servertest.Eventually(t, what+" is answered", func() bool { // a client that sends nothing within read_timeout is not
			a = raw(t, address, sent)
			return a.status != 0
		})
		if a.status != want || !a.last || !strings.Contains(a.body, `"message":"`) || a.header.Get("X-Amzn-RequestId") == "" {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.body, want)
		}
	}
	f("half a header", header[:60], http.StatusRequestTimeout)
	for _, line := range []string{"Foo : bar", "Foo\t: bar", "Foo bar: x", ": x", "Foo: a\r\n b", "Foo: a\x00b", "Foo: a\rb", "Foo: a\nBar: b"} {
		f(fmt.Sprintf("the header line %q", line), header+line+"\r\nContent-Length: 1\r\n\r\nx", http.StatusBadRequest)
	}
	f("a header that is too large", header+"X-Big: "+strings.Repeat("x", 4096)+"\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge)
	f("a body that is too large", header+"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n", http.StatusRequestEntityTooLarge)
	if bodies {
		f("half a body", header+"Content-Length: 100\r\n\r\n{", http.StatusRequestTimeout)
		f("half a chunked body", header+"Transfer-Encoding: chunked\r\n\r\n5\r\n{", http.StatusRequestTimeout)
	}
}
