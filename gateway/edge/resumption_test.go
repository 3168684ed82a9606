//go:build linux

package edge_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"testing"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/servertest"
)

// Sessions are resumed by their tickets, also after the certificate was reloaded, and resumed connections are parked like
// others. A ticket does not admit a device whose authority is no longer trusted.
func TestResumedHandshake(t *testing.T) {
	t.Parallel()
	ends := time.Now().Add(time.Hour)
	files, pair := certificate(t, ends)
	authority, device := certificate(t, ends)
	files.ClientCAFile, files.RequireClientCert = authority.CertFile, true
	s := serve(t, echo, func(o *edge.Options, _ *edge.HTTPOptions, _ *edge.Drain) { o.ParkAfter, o.TLS = soon, &files })
	var configs []*tls.Config
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := trusting(pair)
		c.MaxVersion, c.Certificates, c.ClientSessionCache = version, []tls.Certificate{device}, tls.NewLRUClientSessionCache(4)
		configs = append(configs, c)
	}
	connects := func(what string, resumes bool) {
		t.Helper()
		for _, c := range configs {
			conn, _ := s.secure(t, c)
			ask(t, conn, get, "/")
			s.parked(t, 1)
			ask(t, conn, get, "/")
			if did := conn.ConnectionState().DidResume; did != resumes {
				t.Errorf("%s, %s: resumed: %v, want %v", what, tls.VersionName(c.MaxVersion), did, resumes)
			}
			_ = conn.Close()
			s.parked(t, 0)
		}
	}
	accepts := func(what string, c *tls.Config) {
		t.Helper()
		servertest.Eventually(t, what, func() bool {
			conn, err := tls.Dial("tcp", s.Addr().String(), c)
			if err != nil {
				return false
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn, get)
			_, err = http.ReadResponse(bufio.NewReader(conn), nil) // with TLS 1.3 only this shows whether the server accepts
			return err == nil
		})
	}
	connects("the first connection", false)
	connects("the second connection", true)

	newer, newPair := certificate(t, ends)
	replace(t, map[string]string{newer.CertFile: files.CertFile, newer.KeyFile: files.KeyFile})
	fresh := trusting(newPair)
	fresh.Certificates = []tls.Certificate{device}
	accepts("the certificate is loaded", fresh)
	connects("after a reload of the certificate", true)

	other, stranger := certificate(t, ends)
	replace(t, map[string]string{other.CertFile: authority.CertFile})
	fresh.Certificates = []tls.Certificate{stranger}
	accepts("the authority is loaded", fresh)
	for _, c := range configs {
		conn := tls.Client(s.dial(t), c)
		_, _ = io.WriteString(conn, get)
		if answer, err := io.ReadAll(conn); err == nil || len(answer) > 0 {
			t.Errorf("%s: the ticket of a device that is no longer trusted: answered %q, %v", tls.VersionName(c.MaxVersion), answer, err)
		}
	}
}
