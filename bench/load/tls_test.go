package load

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jobgate/bench/load/answer"

	"jobgate/bench/report"
)

// serveTLS starts an HTTPS server and returns its URL and a client configuration that
// trusts it.
func serveTLS(t testing.TB, config *tls.Config) (string, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(answerJSON))
	s.TLS = config
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.URL, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	url, client := serveTLS(t, nil)
	f := func(sessions tls.ClientSessionCache, lowResumed, highResumed int64) {
		t.Helper()
		p := closedPlan(t, url, 4, 0)
		p.Count, p.KeepAlive = 100, 0.5
		p.TLS = client.Clone()
		p.TLS.ClientSessionCache = sessions
		res := mustRun(t, p)
		c := res.Counts
		if c.Good != 100 || c.Handshakes != c.Connects || c.Handshakes < 20 {
			t.Errorf("%d good of 100, %d handshakes for %d connections: %v", c.Good, c.Handshakes, c.Connects, res.Errors)
		}
		if c.Resumed < lowResumed || c.Resumed > highResumed {
			t.Errorf("%d of %d handshakes resumed a session, want %d to %d", c.Resumed, c.Handshakes, lowResumed, highResumed)
		}
		if !strings.HasPrefix(res.Plan.TLS, "TLS 1.3, TLS_") {
			t.Errorf("the report's TLS is %q, want TLS 1.3", res.Plan.TLS)
		}
	}
	f(nil, 0, 0)
	f(tls.NewLRUClientSessionCache(10), 15, 100)
}

// A refused handshake is reported as a TLS failure, whether client or server refuses it, and at any step.
func TestTLSRefusals(t *testing.T) {
	t.Parallel()
	f := func(name string, server, client *tls.Config, early bool) {
		t.Helper()
		url, trusting := serveTLS(t, server)
		if client == nil {
			client = trusting
		}
		p := openPlan(t, url, 50, 200*time.Millisecond)
		p.TLS = client
		res, err := play(t, p)
		if early {
			errIs(t, err, ErrUnreachable)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := failures(res, answer.TLSFailed); n == 0 || n != res.Counts.Failed {
			t.Errorf("%s: %d of %d failures are TLS failures: %v", name, n, res.Counts.Failed, res.Errors)
		}
	}
	f("untrusted certificate", nil, &tls.Config{MinVersion: tls.VersionTLS12}, true)
	f("wrong name", nil, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: "other.example"}, true)
	f("old version", &tls.Config{MinVersion: tls.VersionTLS13}, &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}, true)
	// With TLS 1.3 the server's alert arrives after the client has completed its handshake.
	f("client certificate, TLS 1.3", &tls.Config{ClientAuth: tls.RequireAnyClientCert}, nil, false)
	f("client certificate, TLS 1.2", &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12}, nil, true)
}

// The generator presents the device's certificate.
func TestClientCertificate(t *testing.T) {
	t.Parallel()
	url, client := serveTLS(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	other := httptest.NewUnstartedServer(nil)
	other.StartTLS()
	client.Certificates = other.TLS.Certificates // any certificate is accepted
	other.Close()
	p := closedPlan(t, url, 4, 0)
	p.Count, p.TLS = 100, client
	if res := mustRun(t, p); res.Counts.Good != 100 {
		t.Errorf("%d good answers of 100: %v", res.Counts.Good, res.Errors)
	}
}

// The target accepts the connection but never answers the handshake.
func TestSilentHandshake(t *testing.T) {
	t.Parallel()
	url := serveRaw(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) // until the generator gives up
	p := openPlan(t, "https"+strings.TrimPrefix(url, "http"), 10, time.Minute)
	p.Timeout = 300 * time.Millisecond
	res, err := play(t, p)
	errIs(t, err, ErrUnreachable)
	if failures(res, answer.ConnectTimeout) != 1 {
		t.Errorf("the errors are %v, want one connect timeout", res.Errors)
	}
}

func TestAssess(t *testing.T) {
	f := func(latency, lag time.Duration, cpu float64, wantLimited, wantWarned bool) {
		t.Helper()
		res := &report.Result{Plan: report.Plan{Loop: report.OpenLoop}, Latency: report.NewHistogram(), Lag: report.NewHistogram(), Generator: report.Generator{CPUShare: cpu}}
		res.Latency.Record(latency)
		res.Lag.Record(lag)
		assess(res)
		if limited := res.Generator.Limited != ""; limited != wantLimited {
			t.Errorf("latency %s, own delay %s, CPU %g: limited is %t (%s)", latency, lag, cpu, limited, res.Generator.Limited)
		}
		if warned := len(res.Warnings) > 0; warned != wantWarned {
			t.Errorf("latency %s, own delay %s, CPU %g: warnings are %q", latency, lag, cpu, res.Warnings)
		}
	}
	f(10*time.Millisecond, 20*time.Microsecond, 0.5, false, false)
	f(100*time.Microsecond, 30*time.Microsecond, 0.5, false, true)
	f(3*time.Millisecond, 2*time.Millisecond, 0.5, true, false)
	f(time.Second, 2*time.Millisecond, 0.5, false, false) // the latency is far above the generator's own delay
	f(10*time.Millisecond, 20*time.Microsecond, 0.97, true, false)

	closed := &report.Result{Plan: report.Plan{Loop: report.ClosedLoop}, Latency: report.NewHistogram(), Generator: report.Generator{CPUShare: 0.99}}
	assess(closed)
	if closed.Generator.Limited != "" || len(closed.Warnings) != 1 || !strings.Contains(closed.Warnings[0], "ceiling") {
		t.Errorf("a closed loop that used all its CPU: %+v, %q", closed.Generator, closed.Warnings)
	}
}
