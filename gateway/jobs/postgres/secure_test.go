package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/postgres"
	"jobgate/gateway/jobs/postgres/pgtest"
)

// certify writes a self-signed certificate for 127.0.0.1, and its key.
func certify(t *testing.T, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "database"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	must(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600))
}

// TestTLS connects with sslmode=verify-full. A certificate of another authority, or for another name, is refused.
func TestTLS(t *testing.T) {
	t.Parallel()
	server, err := pgtest.Start(os.TempDir(), true)
	pgtest.Require(t, err)
	t.Cleanup(server.Remove)
	server.Database(t, "jobgate")
	server.Stop(syscall.SIGINT)
	certificate, key := filepath.Join(server.Folder, "server.crt"), filepath.Join(server.Folder, "server.key")
	certify(t, certificate, key)
	info, err := os.Stat(server.Folder)
	must(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	for _, file := range []string{certificate, key} {
		must(t, os.Chown(file, int(owner.Uid), int(owner.Gid)))
	}
	other := filepath.Join(t.TempDir(), "other.pem")
	certify(t, other, filepath.Join(t.TempDir(), "other.key"))
	server.Settings = []string{"ssl=on"}
	must(t, server.Run())

	open := func(host, authority string) error {
		url := "postgres://postgres@" + strings.Replace(server.Address(), "127.0.0.1", host, 1) + "/jobgate?sslmode=verify-full&sslrootcert=" + authority
		e, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		if err == nil {
			err = e.Close()
		}
		return err
	}
	must(t, open("127.0.0.1", certificate))
	if err := open("127.0.0.1", other); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another authority: %v", err)
	}
	if err := open("localhost", certificate); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another name: %v", err)
	}
}

// TestStatementTimeout lets the server end a statement. The call fails as it does while the database is down, and the next
// one succeeds.
func TestStatementTimeout(t *testing.T) {
	url := pgtest.New(t)
	holder, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	must(t, err)
	defer func() { _ = holder.Close() }()
	e, err := postgres.Open(t.Context(), postgres.Options{URL: url + "&statement_timeout=300", Timeout: 30 * time.Second})
	must(t, err)
	defer func() { _ = e.Close() }()
	put := func(e *postgres.Engine, during func()) error {
		return e.Update(context.Background(), engine.Work{Rows: 1}, func(tx engine.Tx) error {
			err := tx.PutValues([]engine.Value{{Space: "s", Key: "k", Value: []byte("v")}})
			if err == nil {
				during()
			}
			return err
		})
	}
	must(t, put(holder, func() {
		err := put(e, func() {})
		if kind := engine.ErrUnavailable; err == nil || !strings.Contains(err.Error(), kind.Error()) || !strings.Contains(err.Error(), "57014") {
			t.Errorf("a statement that the server ended: %v", err)
		}
	}))
	must(t, put(e, func() {}))
}
