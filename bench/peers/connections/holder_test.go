package connections

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/bench/peers/certificates"
)

// TestHolderAsks opens connections that each have their own certificate, send a request, and repeat it at an interval.
func TestHolderAsks(t *testing.T) {
	folder := t.TempDir()
	if err := certificates.WriteAuthority(folder); err != nil {
		t.Fatal(err)
	}
	devices, err := certificates.ReadAuthority(folder)
	if err != nil {
		t.Fatal(err)
	}
	const connections = 5
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var names sync.Map
	var asked atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		names.Store(r.TLS.PeerCertificates[0].Subject.CommonName, r.RemoteAddr)
		if asked.Add(1) == 4*connections {
			cancel()
		}
		w.WriteHeader(http.StatusOK)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	s.TLS.ClientCAs.AddCert(devices.Certificate)
	s.StartTLS()
	defer s.Close()

	h := holding{Port: s.Listener.Addr().(*net.TCPAddr).Port, Connections: connections, TLS: true, Folder: folder, Every: 20 * time.Millisecond}
	conns, err := h.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r := h.ask(ctx, conns)
	for _, c := range conns {
		_ = c.Close() // the test does not use them again
	}
	if asked.Load() < 4*connections || r.Failed != 0 || r.Answers < 2*connections || r.P50 <= 0 || r.P99 < r.P50 {
		t.Errorf("the server received %d requests; the connections report %+v", asked.Load(), r)
	}
	different := 0
	names.Range(func(any, any) bool { different++; return true })
	if different != connections {
		t.Errorf("the clients presented %d certificates, want %d", different, connections)
	}
}
