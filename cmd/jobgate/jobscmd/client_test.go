package jobscmd

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestConnectionErrorHints checks that a connection error names the flag that fixes it.
func TestConnectionErrorHints(t *testing.T) {
	f := func(tlsOn bool, clients tls.ClientAuthType, client func(*httptest.Server) *http.Client, want string) {
		t.Helper()
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) {
			panic(http.ErrAbortHandler) // closes without an answer, as a TLS listener does with plain HTTP
		}))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		if tlsOn {
			s.TLS = &tls.Config{ClientAuth: clients}
			s.StartTLS()
		} else {
			s.Start()
		}
		defer s.Close()
		c := Connection{Endpoint: s.URL, Region: "us-east-1", Credentials: operator, HTTP: client(s)}
		if _, err := c.call(t.Context(), request{what: "list", method: "GET"}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	plain := func(*httptest.Server) *http.Client { return &http.Client{} }
	f(false, tls.NoClientCert, plain, "--endpoint-url https://")
	f(true, tls.NoClientCert, plain, "--ca-file")
	f(true, tls.RequireAnyClientCert, (*httptest.Server).Client, "--cert-file and --key-file")
}
