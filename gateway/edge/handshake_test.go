package edge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/servertest"
)

// TestReadAfterFailedHandshake reads a connection whose handshake timed out. The read ends at once, whatever deadline the
// server has set since.
func TestReadAfterFailedHandshake(t *testing.T) {
	t.Parallel()
	files, _ := certificate(t, time.Now().Add(time.Hour))
	l, err := edge.Listen(edge.Options{Name: "listen", Address: "127.0.0.1:0", TLS: &files, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	silent, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if err := conn.(*edge.TLSConn).Handshake(); err == nil {
		t.Fatal("the handshake succeeded")
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Hour))
	read := make(chan error, 1)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	select {
	case err := <-read:
		if !errors.Is(err, io.EOF) {
			t.Errorf("the read ends with %v, want io.EOF", err)
		}
	case <-time.After(time.Minute):
		t.Error("the read goes on after a minute")
	}
	_ = conn.Close()
}

// certificate creates a self-signed certificate for edge.test, which is its own authority.
func certificate(t *testing.T, ends time.Time) (files edge.TLS, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
		DNSNames: []string{"edge.test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	files = edge.TLS{Setting: "tls", Every: 200 * time.Millisecond, CertFile: write("cert.pem", "CERTIFICATE", der), KeyFile: write("key.pem", "PRIVATE KEY", private)}
	if pair, err = tls.LoadX509KeyPair(files.CertFile, files.KeyFile); err != nil {
		t.Fatal(err)
	}
	return files, pair
}

// Each failed handshake is counted by its reason, and no client gets an answer in plain text.
func TestHandshakeErrors(t *testing.T) {
	t.Parallel()
	ends := time.Now().Add(time.Hour)
	files, pair := certificate(t, ends)
	files.ClientCAFile, files.RequireClientCert = files.CertFile, true
	_, stranger := certificate(t, ends)
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	within := func(timeout time.Duration) *site {
		return serve(t, ok, func(o *edge.Options, h *edge.HTTPOptions, _ *edge.Drain) {
			o.TLS, o.ReadTimeout, h.ReadTimeout = &files, timeout, timeout
		})
	}
	s := within(time.Minute)
	client := func(change func(*tls.Config)) func(t *testing.T) {
		c := &tls.Config{RootCAs: roots, ServerName: "edge.test", Certificates: []tls.Certificate{pair}}
		change(c)
		return func(t *testing.T) {
			conn := tls.Client(s.dial(t), c)
			_, _ = io.WriteString(conn, get)
			if answer, err := io.ReadAll(conn); err == nil && len(answer) > 0 {
				t.Errorf("answered %q", answer)
			}
		}
	}
	sends := func(s *site, text string) func(t *testing.T) {
		return func(t *testing.T) {
			conn := s.dial(t)
			_, _ = io.WriteString(conn, text)
			if answer, _ := io.ReadAll(conn); strings.HasPrefix(string(answer), "HTTP") {
				t.Errorf("answered %q", answer)
			}
		}
	}
	for _, c := range []struct {
		reason string
		try    func(t *testing.T)
	}{
		{"not_tls", sends(s, get)},
		{"closed", func(t *testing.T) { _ = s.dial(t).Close() }},
		{"client_certificate", client(func(c *tls.Config) { c.Certificates = nil })},
		{"client_certificate", client(func(c *tls.Config) { c.Certificates = []tls.Certificate{stranger} })},
		{"refused_by_client", client(func(c *tls.Config) { c.RootCAs = x509.NewCertPool() })},
		{"protocol", client(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 })},
		{"protocol", client(func(c *tls.Config) { c.NextProtos = []string{"spdy/3"} })},
	} {
		before := gather(t, s.metrics, "jobgate_tls_handshake_errors_total", c.reason)
		c.try(t)
		servertest.Eventually(t, c.reason+" is counted", func() bool {
			return gather(t, s.metrics, "jobgate_tls_handshake_errors_total", c.reason) == before+1
		})
	}
	short := within(2 * time.Second)
	var silent sync.WaitGroup
	for _, text := range []string{"", "\x16\x03\x01\x01\x00"} {
		silent.Go(func() { sends(short, text)(t) })
	}
	silent.Wait()
	servertest.Eventually(t, "both time-outs are counted", func() bool {
		return gather(t, short.metrics, "jobgate_tls_handshake_errors_total", "timeout") == 2
	})
	if log := s.log.String(); !strings.Contains(log, `level=WARN msg="a TLS handshake failed" listener=listen peer=127.0.0.1:`) || !strings.Contains(log, "reason=not_tls") {
		t.Error(log)
	}
	if got := gather(t, s.metrics, "jobgate_tls_certificate_expiry_seconds", "listen"); got != float64(ends.Unix()) {
		t.Errorf("the certificate expires at %v, want %d", got, ends.Unix())
	}
	servertest.Eventually(t, "all are closed", func() bool { return s.state(t, "fresh")+s.state(t, "active")+s.state(t, "idle") == 0 })
}

// TLS behind the PROXY protocol, kept alive: the server sees the connection's TLS and the client's address.
func TestTLSBehindProxy(t *testing.T) {
	files, pair := certificate(t, time.Now().Add(time.Hour))
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	s := serve(t, func(ctx *fasthttp.RequestCtx) {
		if ctx.IsTLS() && ctx.TLSConnectionState() != nil {
			ctx.SetBodyString(ctx.RemoteAddr().String())
		}
	}, func(o *edge.Options, _ *edge.HTTPOptions, _ *edge.Drain) { o.TLS, o.Trusted = &files, trustAll })
	conn := s.dial(t)
	_, _ = io.WriteString(conn, proxyV2)
	secure := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "edge.test"})
	answers := reader(secure)
	for range 2 {
		_, _ = io.WriteString(secure, get)
		if status, body := answer(t, answers); status != http.StatusOK || body != "192.0.2.7:4242" {
			t.Fatalf("%d %q", status, body)
		}
	}
	// The answer to a body that is too large arrives through TLS too.
	_, _ = io.WriteString(secure, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n"+strings.Repeat("x", 2000000))
	if status, _ := answer(t, answers); status != http.StatusRequestEntityTooLarge {
		t.Error(status)
	}
}
