package e2e_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// backend starts a fleet backend that returns the answer for a path, or else the request.
func (s *site) backend(answers map[string]string) string {
	s.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, known := answers[r.URL.Path]
		if !known {
			sent, _ := io.ReadAll(r.Body)
			body = r.Method + " " + r.RequestURI + " " + string(sent)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Backend", r.Header.Get("X-Forwarded-For"))
		_, _ = io.WriteString(w, s.text(body))
	}))
	s.t.Cleanup(server.Close)
	return server.URL
}

// TestFill checks that a backend's answers are filled on a fill route and nowhere else.
func TestFill(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	const placeholder = `{"job": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`
	nested := `{"jobDocument": "{\"url\": \"${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}\"}"}`
	backend := s.backend(map[string]string{
		"/api/sensor-1/job": placeholder, "/api/sensor-2/job": nested, "/elsewhere": placeholder,
		"/api/sensor-3/job": `{"job": "${aws:iot:s3-presigned-url:$S3/$BUCKET/../other/fw.bin}", "x": "${aws:iot:s3-presigned-url:$S3/other/fw.bin}"}`,
		"/api/sensor-4/job": `{"job": "${aws:iot:s3-presigned-url-upload:$S3/$BUCKET/fw.bin}"}`,
	})
	g := s.serve(`
upstream: ["` + backend + `"]
routes: [{path: "/api/{thingName}/job", fill: true}]
` + downloadRole)
	base := "http://" + g.devices
	a := get(t, base+"/api/sensor-1/job")
	if got := get(t, a.document(t)["job"]); got.status != http.StatusOK || got.body != "bytes" || a.header.Get("X-Backend") != "127.0.0.1" {
		t.Errorf("GET: %d %s, header %v", got.status, got.body, a.header)
	}
	inner := answer{status: 200, body: get(t, base+"/api/sensor-2/job").document(t)["jobDocument"]}
	if got := get(t, inner.document(t)["url"]); got.status != http.StatusOK || got.body != "bytes" {
		t.Errorf("GET of a URL in a nested document: %d %s", got.status, got.body)
	}
	if a := get(t, base+"/elsewhere"); a.body != s.text(placeholder) {
		t.Errorf("an answer outside a fill route was changed: %s", a.body)
	}
	if a := do(t, http.MethodPost, base+"/a%2Fb/../c?x=%20", "body"); a.body != "POST /a%2Fb/../c?x=%20 body" {
		t.Errorf("the request was changed: %s", a.body)
	}
	refused(t, "an object outside allow", get(t, base+"/api/sensor-3/job"), http.StatusBadGateway, "is refused where patterns say what is allowed")
	refused(t, "PUT without allow_upload", get(t, base+"/api/sensor-4/job"), http.StatusBadGateway, "Not allowed to presign PUT")
}

// TestDeadUpstream has two backends, one of which refuses connections. All requests must succeed.
func TestDeadUpstream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close()
	g := s.serve(`upstream: ["http://` + dead.Addr().String() + `", "` + s.backend(nil) + `"]`)
	for range 20 {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if a := do(t, method, "http://"+g.devices+"/x", "body"); a.status != http.StatusOK || a.body != method+" /x body" {
				t.Fatalf("%s: %d %s", method, a.status, a.body)
			}
		}
	}
}

// sidecarConfig enables the sidecar.
const sidecarConfig = `
listen: ""
roles:
  download: {arn: "` + downloadARN + `", allow: ["arn:aws:s3:::$BUCKET/*"]}
  small: {arn: "arn:aws:iam::123456789012:role/small", allow: ["arn:aws:s3:::$BUCKET/small/*"], allow_upload: ["arn:aws:s3:::$BUCKET/logs/*"], max_expires: 10m}
presign: {role: download, expires: 5m}
`

const sidecarDocument = `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/${thingName}.bin}"}`

func TestSidecarOnUnixSocket(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("sensor-1.bin", "bytes")
	folder, err := os.MkdirTemp("", "jobgate") // a socket's path is limited to 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := filepath.Join(folder, "s")
	s.serve("sidecar: unix://"+socket+sidecarConfig, "JOBGATE_LISTEN=")
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v %v", info, err)
	}
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	t.Cleanup(c.CloseIdleConnections)
	a, err := ask(c, http.MethodPost, "http://backend.internal/render?thingName=sensor-1", s.text(sidecarDocument), "Content-Type: application/json")
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, a.document(t)["url"]); got.status != http.StatusOK || got.body != "bytes" {
		t.Errorf("GET: %d %s", got.status, got.body)
	}
	lines := s.text(sidecarDocument + "\n" + `{"url": "${aws:iot:what}"}` + "\n" + sidecarDocument + "\n")
	a, err = ask(c, http.MethodPost, "http://x/render?thingName=sensor-1&expires=1h", lines, "Content-Type: application/x-ndjson")
	filled := strings.Split(a.body, "\n")
	if err != nil || len(filled) != 4 || !strings.Contains(filled[0], "X-Amz-Expires=3600") || !strings.Contains(filled[1], `"code":"InvalidJobDocument"`) || !strings.Contains(filled[2], "X-Amz-Signature") {
		t.Errorf("three lines: %d %s %v", a.status, a.body, err)
	}
}

// TestSidecarOnTCP checks which requests the sidecar rejects, with and without a token.
func TestSidecarOnTCP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("sensor-1.bin", "bytes")
	const token = "correct-horse-battery-staple"
	logs.secret(token)
	s.file("token", token+"\n")
	open := s.serve("sidecar: 127.0.0.1:0"+sidecarConfig, "JOBGATE_LISTEN=")
	guarded := s.serve("sidecar: 127.0.0.1:0\nsidecar_token_file: \"$DIR/token\""+sidecarConfig, "JOBGATE_LISTEN=")
	const kind = "Content-Type: application/json"
	f := func(what string, g *gateway, query, document string, status int, text string, headers ...string) {
		t.Helper()
		a := do(t, http.MethodPost, "http://"+g.sidecar+"/render?"+query, s.text(document), headers...)
		if status != http.StatusOK {
			refused(t, what, a, status, text)
		} else if got := get(t, a.document(t)["url"]); got.status != http.StatusOK {
			t.Errorf("%s: GET: %d %s", what, got.status, got.body)
		}
	}
	const good, object = "thingName=sensor-1", "${aws:iot:s3-presigned-url:$S3/$BUCKET/"
	f("loopback", open, good, sidecarDocument, 200, "", kind)
	f("localhost", open, good, sidecarDocument, 200, "", kind, "Host: localhost:8081")
	f("DNS rebinding", open, good, sidecarDocument, 403, "loopback host names only", kind, "Host: attacker.example")
	f("a host with a loopback prefix", open, good, sidecarDocument, 403, "loopback", kind, "Host: 127.0.0.1.attacker.example")
	f("a web page's form", open, good, sidecarDocument, 415, "application/json", "Content-Type: text/plain")
	f("no content type", open, good, sidecarDocument, 415, "application/json")
	f("with the token", guarded, good, sidecarDocument, 200, "", kind, "Authorization: Bearer "+token)
	f("with the token, another host", guarded, good, sidecarDocument, 200, "", kind, "Authorization: Bearer "+token, "Host: jobgate.fleet.svc")
	f("without the token", guarded, good, sidecarDocument, 401, "token", kind)
	f("with half of the token", guarded, good, sidecarDocument, 401, "token", kind, "Authorization: Bearer "+token[:10])

	f("a role that is not listed", open, good+"&role=admin", sidecarDocument, 403, `role "admin" is not one of`, kind)
	f("the gateway's own credentials", open, good+"&role=", sidecarDocument, 403, `role "" is not one of`, kind)
	f("an object outside the role's allow", open, good+"&role=small", sidecarDocument, 400, "Not allowed to presign GET", kind)
	f("an object of another bucket", open, good, `{"url": "${aws:iot:s3-presigned-url:$S3/other/k}"}`, 400, "Not allowed to presign GET arn:aws:s3:::other/k", kind)
	f("PUT without allow_upload", open, good, `{"url": "${aws:iot:s3-presigned-url-upload:$S3/$BUCKET/logs/k}"}`, 400, "Not allowed to presign PUT", kind)
	f("longer than max_expires", open, good+"&role=small&expires=1h", `{"url": "`+object+`small/k}"}`, 400, "10m", kind)
	f("a thing name that is a path", open, "thingName=..%2Fx", sidecarDocument, 400, "thingName must be", kind)
	f("an unknown parameter", open, "thing=x", sidecarDocument, 400, `unknown query parameter "thing"`, kind)
	f("an unterminated placeholder", open, good, `{"url": "`+object+`"}`, 400, "not terminated", kind)
	f("a host that begins like AWS's", open, good, `{"url": "${aws:iot:s3-presigned-url:https://s3.amazonaws.com.attacker.example/b/k}"}`, 400, "invalid", kind)
	if a := get(t, "http://"+open.sidecar+"/render"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
}
