package mqtt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/mqtt/packet"
)

// authority signs certificates.
type authority struct {
	testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{TB: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) sign(name string, ends time.Time) tls.Certificate {
	a.Helper()
	key := newKey(a)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: ends,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// revoke returns a list of revoked certificates.
func (a *authority) revoke(certificates ...tls.Certificate) []byte {
	a.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certificates {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.Leaf.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// secure is a server with mTLS, and its files of authorities and revocations.
type secure struct {
	*fixture
	ca          *authority
	authorities *mqtt.Authorities
	folder      string
}

func (s *secure) file(name string, text []byte) string {
	s.Helper()
	path := filepath.Join(s.folder, name)
	// The file is replaced and gets another time, even on a file system with whole seconds.
	s.ok(os.WriteFile(path+".new", text, 0o600))
	later := time.Now().Add(time.Duration(len(text)) * time.Second)
	s.ok(os.Chtimes(path+".new", later, later))
	s.ok(os.Rename(path+".new", path))
	return path
}

func newSecure(t testing.TB) *secure {
	t.Helper()
	return newSecureWith(t, 0)
}

// newSecureWith parks connections after a time; 0: the edge's own.
func newSecureWith(t testing.TB, parkAfter time.Duration) *secure {
	t.Helper()
	s := &secure{fixture: &fixture{TB: t, Service: newService(t)}, ca: newAuthority(t, "devices"), folder: t.TempDir()}
	own := s.ca.sign("server", time.Now().Add(time.Hour))
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	s.ok(err)
	files := edge.TLS{
		Setting: "mqtt.tls", CertFile: s.file("server.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})),
		KeyFile: s.file("server.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})), ClientCAFile: s.file("ca.crt", s.ca.pem()),
		RequireClientCert: true, NextProtos: []string{"x-amzn-mqtt-ca"},
	}
	s.authorities, err = mqtt.LoadAuthorities(mqtt.AuthoritiesOptions{
		CAFile: files.ClientCAFile, CRLFile: s.file("revoked.crl", s.ca.revoke()), Log: slog.New(slog.DiscardHandler),
		Name: func(leaf *x509.Certificate) (string, bool) {
			return leaf.Subject.CommonName, leaf.Subject.CommonName != ""
		},
	})
	s.ok(err)
	s.server, err = mqtt.New(mqtt.Config{Service: s.Service, Documents: plain{}, SessionExpiry: time.Hour, Identify: s.authorities.Identify})
	s.ok(err)
	ln, err := edge.Listen(edge.Options{Name: "mqtt", Address: "127.0.0.1:0", TLS: &files, ReadTimeout: patience, WriteTimeout: patience, ParkAfter: parkAfter})
	s.ok(err)
	s.address = ln.Addr().String()
	go func() { _ = s.server.Serve(ln) }() // Close ends it
	t.Cleanup(s.server.Close)
	return s
}

// client connects with a certificate and a client id, and does not wait for CONNACK's reason.
func (s *secure) client(v packet.Version, certificate tls.Certificate, id string, edit func(*packet.Connect)) *client {
	s.Helper()
	conn, err := tls.Dial("tcp", s.address, s.tls(certificate))
	s.ok(err)
	if got := conn.ConnectionState().NegotiatedProtocol; got != "x-amzn-mqtt-ca" {
		s.Fatalf("ALPN: %q", got)
	}
	c := s.over(conn, v, id)
	c.connect(edit)
	return c
}

// tls is the configuration of a device with a certificate.
func (s *secure) tls(certificate tls.Certificate) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.cert)
	return &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"x-amzn-mqtt-ca"}, MinVersion: tls.VersionTLS12, ServerName: "127.0.0.1",
	}
}

// TestIdentities: the certificate names the thing; no device can evict or take over another's session by its client id.
func TestIdentities(t *testing.T) {
	s := newSecure(t)
	s.things("a", "b")
	persistent := func(m *packet.Connect) {
		m.Clean = false
		m.Properties.SetNumber(packet.SessionExpiry, 300)
	}
	soon := time.Now().Add(time.Hour)
	a, b := s.ca.sign("a", soon), s.ca.sign("b", soon)
	one := s.client(packet.V5, a, "same", persistent)
	other := s.client(packet.V5, b, "same", persistent)
	if other.ack.SessionPresent {
		t.Fatal("b has inherited a's session")
	}
	one.id, other.id = "a", "b" // their things
	one.quiet()                 // it was not evicted
	if got := one.subscribe(1, "notify-next"); got[0] != 1 {
		t.Fatalf("%x", got)
	}
	if got := other.subscribe(1, "$aws/things/a/jobs/notify-next"); got[0] != byte(packet.NotAuthorized) {
		t.Fatalf("%x", got)
	}
	s.create("j", "a")
	if got := jobOf(one.message("notify-next")); got != "j" {
		t.Fatal(got)
	}
	other.quiet()
	if got := other.puback(other.publish(1, "$aws/things/a/jobs/j/update", `{"status":"FAILED"}`)); got != packet.NotAuthorized {
		t.Fatalf("%#x", got)
	}
	// The name of another thing is a client id like any other.
	third := s.client(packet.V5, b, "a", nil)
	third.id = "b"
	if got := third.subscribe(1, "$aws/things/a/jobs/#"); got[0] != byte(packet.NotAuthorized) {
		t.Fatalf("%x", got)
	}
	if anonymous := s.client(packet.V5, b, "", nil); len(anonymous.ack.Properties.Text(packet.AssignedClientID)) == 0 {
		t.Error("no client id was assigned")
	}
	if bad := s.client(packet.V5, s.ca.sign("not a name", soon), "x", nil); bad.ack.Reason != packet.NotAuthorized {
		t.Errorf("%#x", bad.ack.Reason)
	}
}

// TestManySessions: a device that uses many client ids has a few sessions, not thousands.
func TestManySessions(t *testing.T) {
	s := newSecure(t)
	a := s.ca.sign("a", time.Now().Add(time.Hour))
	refused := 0
	for i := range 22 {
		if c := s.client(packet.V5, a, string(rune('a'+i)), nil); c.ack.Reason == packet.QuotaExceeded {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("of 22 connections of one thing, %d were refused", refused)
	}
}

// TestCertificateEnds: the connection ends with its certificate.
func TestCertificateEnds(t *testing.T) {
	t.Parallel()
	s := newSecure(t)
	c := s.client(packet.V5, s.ca.sign("a", time.Now().Add(2*time.Second)), "x", nil)
	c.ends(packet.NotAuthorized)
}

// TestRevoked: when a certificate is revoked, its connection ends, and it gets no new one.
func TestRevoked(t *testing.T) {
	s := newSecure(t)
	a, b := s.ca.sign("a", time.Now().Add(time.Hour)), s.ca.sign("b", time.Now().Add(time.Hour))
	one, two := s.client(packet.V5, a, "x", nil), s.client(packet.V5, b, "y", nil)
	s.file("revoked.crl", s.ca.revoke(a))
	s.authorities.Reload(s.server)
	one.ends(packet.NotAuthorized)
	two.quiet()
	if again := s.client(packet.V5, a, "x", nil); again.ack.Reason != packet.NotAuthorized {
		t.Errorf("%#x", again.ack.Reason)
	}
	// A list of another authority changes nothing.
	s.file("revoked.crl", newAuthority(t, "stranger").revoke(b))
	s.authorities.Reload(s.server)
	two.quiet()
}

// TestAuthorityTakenAway: when an authority is removed, the connections of its certificates end. They cannot reconnect
// either, even while the listener still uses the old authorities.
func TestAuthorityTakenAway(t *testing.T) {
	s := newSecure(t)
	a := s.ca.sign("a", time.Now().Add(time.Hour))
	c := s.client(packet.V5, a, "x", nil)
	other := newAuthority(t, "another")
	s.file("ca.crt", append(other.pem(), s.ca.pem()...))
	s.authorities.Reload(s.server)
	c.quiet() // its authority is still trusted
	s.file("revoked.crl", other.revoke())
	s.file("ca.crt", other.pem())
	s.authorities.Reload(s.server)
	c.ends(packet.NotAuthorized)
	if again := s.client(packet.V5, a, "x", nil); again.ack.Reason != packet.NotAuthorized {
		t.Errorf("it reconnects: %#x", again.ack.Reason)
	}
}

// TestResumed: a resumed TLS session belongs to the same device, and is refused like a new one once its certificate is
// revoked.
func TestResumed(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		s := newSecure(t)
		a := s.ca.sign("a", time.Now().Add(time.Hour))
		config := s.tls(a)
		config.ClientSessionCache, config.MaxVersion = tls.NewLRUClientSessionCache(1), version
		connect := func(resumes bool) *client {
			t.Helper()
			conn, err := tls.Dial("tcp", s.address, config)
			s.ok(err)
			if got := conn.ConnectionState().DidResume; got != resumes {
				t.Fatalf("%s: resumed: %v", name, got)
			}
			c := s.over(conn, packet.V5, "x")
			c.connect(nil) // it reads, and so receives the ticket of TLS 1.3
			c.id = "a"
			return c
		}
		connect(false).quiet()
		c := connect(true)
		if got := c.subscribe(1, "notify-next", "$aws/things/b/jobs/notify-next"); got[0] != 1 || got[1] != byte(packet.NotAuthorized) {
			t.Errorf("%s: %x", name, got)
		}
		s.file("revoked.crl", s.ca.revoke(a))
		s.authorities.Reload(s.server)
		c.ends(packet.NotAuthorized)
		if again := connect(true); again.ack.Reason != packet.NotAuthorized {
			t.Errorf("%s: a revoked certificate reconnects: %#x", name, again.ack.Reason)
		}
	}
}

// TestExpired: a certificate that has expired or is not yet valid gets no CONNACK.
func TestExpired(t *testing.T) {
	s := newSecure(t)
	for name, certificate := range map[string]tls.Certificate{
		"expired": s.ca.sign("a", time.Now().Add(-time.Minute)), "a stranger's": newAuthority(t, "devices").sign("a", time.Now().Add(time.Hour)), "none": {},
	} {
		conn, err := tls.Dial("tcp", s.address, s.tls(certificate)) // in TLS 1.3 the client does not know yet
		if err != nil {
			continue
		}
		c := s.over(conn, packet.V5, "x")
		_, _ = c.Write(packet.AppendConnect(nil, &packet.Connect{Version: packet.V5, Clean: true, ClientID: []byte("x")})) // it may be closed
		if p, err := c.next(); err == nil {
			t.Errorf("%s: answered with %d %x", name, p.Type, p.Body)
		}
	}
}

// TestTakeoverByCertificate: another certificate of the same thing takes the client id's session, one of another thing
// does not.
func TestTakeoverByCertificate(t *testing.T) {
	s := newSecure(t)
	s.things("a", "b")
	persistent := func(m *packet.Connect) {
		m.Clean = false
		m.Properties.SetNumber(packet.SessionExpiry, 300)
	}
	soon := time.Now().Add(time.Hour)
	old := s.client(packet.V5, s.ca.sign("a", soon), "x", persistent)
	old.id = "a"
	old.subscribe(1, "notify-next")
	stranger := s.client(packet.V5, s.ca.sign("b", soon), "x", persistent)
	if stranger.ack.SessionPresent {
		t.Error("another thing has the session")
	}
	old.quiet()
	renewed := s.client(packet.V5, s.ca.sign("a", soon), "x", persistent)
	renewed.id = "a"
	old.ends(packet.SessionTakenOver)
	if !renewed.ack.SessionPresent {
		t.Error("the renewed certificate does not have the session")
	}
	s.create("j", "a")
	if got := jobOf(renewed.message("notify-next")); got != "j" {
		t.Error(got)
	}
	stranger.id = "b"
	stranger.quiet()
	s.ok(s.DeleteThing(bg, time.Now(), "b", 0))
	stranger.ends(packet.NotAuthorized)
	renewed.quiet()
}
