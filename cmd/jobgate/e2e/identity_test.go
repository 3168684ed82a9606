package e2e_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"jobgate/gateway/servertest"
)

// TestMTLS authenticates devices by certificates, and then renews the gateway's certificate.
func TestMTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.object("fw.bin", "bytes")
	s.file("doc.json", `{"url": "${aws:iot:s3-presigned-url:$S3/$BUCKET/fw.bin}"}`)
	servers, devices, strangers := newAuthority(t, "servers"), newAuthority(t, "devices"), newAuthority(t, "strangers")
	renew := func(name string) {
		certificate, key := servers.issue(name)
		s.file("tls.crt", certificate)
		s.file("tls.key", key)
	}
	renew("first")
	s.file("devices.crt", inPEM("CERTIFICATE", devices.cert.Raw))
	g := s.serve(`
tls: {cert_file: "$DIR/tls.crt", key_file: "$DIR/tls.key", client_ca_file: "$DIR/devices.crt"}
auth: {mode: mtls}
limits: {read_timeout: 3s}
routes: [{path: "/things/{thingName}/doc", document: "file://$DIR/doc.json"}]
` + downloadRole)
	base := "https://" + g.devices + "/things/"
	sensor := servers.client(devices, "sensor-1")
	own, err := ask(sensor, http.MethodGet, base+"sensor-1/doc", "")
	if err != nil {
		t.Fatal(err)
	}
	if a := get(t, own.document(t)["url"]); a.status != http.StatusOK {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	other, err := ask(sensor, http.MethodGet, base+"sensor-2/doc", "")
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "another thing's document", other, http.StatusForbidden, "only its own thing name")
	for who, c := range map[string]*http.Client{"no certificate": servers.client(nil, ""), "another authority's certificate": servers.client(strangers, "sensor-1")} {
		if a, err := ask(c, http.MethodGet, base+"sensor-1/doc", ""); err == nil {
			t.Errorf("%s: %d %s, want no connection", who, a.status, a.body)
		}
	}
	plain, err := ask(client, http.MethodGet, "http://"+g.devices+"/things/sensor-1/doc", "")
	if err == nil && plain.status == http.StatusOK {
		t.Errorf("without TLS: %d %s", plain.status, plain.body)
	}
	for _, half := range []string{"", "\x16\x03\x01\x02\x00\x01"} { // a handshake that stalls
		conn := dial(t, g.devices)
		_, _ = io.WriteString(conn, half)
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a handshake that stalls after %q keeps its connection", half)
		}
	}

	renew("second")
	servertest.Eventually(t, "the gateway uses its new certificate", func() bool {
		res, err := sensor.Get(base + "sensor-1/doc")
		if err != nil {
			t.Fatalf("during the renewal of the certificate: %v", err)
		}
		_ = res.Body.Close()
		return res.TLS.PeerCertificates[0].Subject.CommonName == "second"
	})
}

// TestAmbiguousPaths checks that a path that an upstream may read differently than the gateway is rejected, and that other
// paths are forwarded unchanged.
func TestAmbiguousPaths(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 100)
	backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("X-Thing-Name") + " " + r.RequestURI
	}))
	t.Cleanup(backend.Close)
	s := newSite(t)
	s.file("doc.json", `{}`)
	servers, devices := newAuthority(t, "servers"), newAuthority(t, "devices")
	certificate, key := servers.issue("gateway")
	s.file("tls.crt", certificate)
	s.file("tls.key", key)
	s.file("devices.crt", inPEM("CERTIFICATE", devices.cert.Raw))
	g := s.serve(`
tls: {cert_file: "$DIR/tls.crt", key_file: "$DIR/tls.key", client_ca_file: "$DIR/devices.crt"}
auth: {mode: mtls}
routes: [{path: "/things/{thingName}/doc", document: "file://$DIR/doc.json"}]
upstream: ["` + backend.URL + `"]
`)
	config := servers.client(devices, "sensor-1").Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "127.0.0.1"
	f := func(path string, status int, forwarded string) {
		t.Helper()
		conn := tls.Client(dial(t, g.devices), config)
		if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\nX-Thing-Name: victim\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		a, got := readAnswer(conn), ""
		select {
		case got = <-seen:
		default:
		}
		if a.status != status || got != forwarded {
			t.Errorf("%s: %d %s, the upstream saw %q; want %d and %q", path, a.status, a.body, got, status, forwarded)
		}
	}
	for _, path := range []string{
		"//api/victim/job", "/api//victim/job", "/api/./victim/job", "/x/../api/victim/job", "/x/..;/api/victim/job", "/api/victim%2fjob", "/api%2Fvictim/job",
		"/api/victim%5cjob", `/api\victim/job`, "/%2e/api/victim/job", "/x/%2E%2E/api/victim/job", "/api/victim/job%00", "/api/victim%zz", "http://h//api/victim/job",
		"//things/sensor-2/doc", "/things/./sensor-2/doc", "/things%2fsensor-2/doc", "/things/sensor-1/../sensor-2/doc",
	} {
		f(path, http.StatusBadRequest, "")
	}
	f("/things/sensor-2/doc", http.StatusForbidden, "")
	f("/things/sensor-1/doc", http.StatusOK, "")
	f("/api/sensor-1/a%20b?c=//../%2f", http.StatusOK, "sensor-1 /api/sensor-1/a%20b?c=//../%2f")
}

// TestHeaderIdentity checks that the device's name in a header is accepted from a trusted balancer's address only.
func TestHeaderIdentity(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.file("doc.json", `{}`)
	config := func(proxies string) string {
		return `
auth: {mode: header, header: X-Device, trusted_proxies: [` + proxies + `]}
routes: [{path: "/things/{thingName}/doc", document: "file://$DIR/doc.json"}]
`
	}
	trusting, wary := s.serve(config("127.0.0.0/8")), s.serve(config("10.0.0.0/8, 192.0.2.1"))
	f := func(g *gateway, thing string, want int, headers ...string) {
		t.Helper()
		a := get(t, "http://"+g.devices+"/things/"+thing+"/doc", headers...)
		if a.status != want {
			t.Errorf("%s with %q: %d %s, want %d", thing, headers, a.status, a.body, want)
		}
		if want != http.StatusOK {
			refused(t, strings.Join(headers, ", "), a, want, "")
		}
	}
	f(trusting, "sensor-1", 200, "X-Device: sensor-1")
	f(trusting, "sensor-2", 403, "X-Device: sensor-1")
	f(trusting, "sensor-1", 403, "X-Device: sensor-1 ,sensor-2")
	f(trusting, "sensor-1", 401)
	f(trusting, "sensor-1", 401, "X-Thing-Name: sensor-1")
	f(wary, "sensor-1", 401, "X-Device: sensor-1")
	f(wary, "sensor-1", 401, "X-Device: sensor-1", "X-Forwarded-For: 10.0.0.1")
}
