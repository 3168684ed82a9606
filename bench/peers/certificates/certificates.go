// Package certificates creates the certificates of a run in its folder: those of servers and devices, and the devices'
// authority.
package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority signs certificates, all with ECDSA P-256 keys, as most have today.
type Authority struct {
	Certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// WriteServer creates a self-signed certificate for 127.0.0.1 in the run's folder: cert.pem and key.pem.
func WriteServer(folder string) error {
	t := certificateOf("127.0.0.1", x509.ExtKeyUsageServerAuth)
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	pair, err := new(Authority).sign(t)
	if err != nil {
		return err
	}
	return writePair(folder, "cert.pem", "key.pem", pair)
}

// WriteAuthority creates an authority for devices' certificates in the run's folder: ca.pem and ca-key.pem.
func WriteAuthority(folder string) error {
	t := certificateOf("devices", x509.ExtKeyUsageClientAuth)
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign
	pair, err := new(Authority).sign(t)
	if err != nil {
		return err
	}
	return writePair(folder, "ca.pem", "ca-key.pem", pair)
}

// WriteDevice creates a device's certificate in the run's folder: device.pem and device-key.pem.
func WriteDevice(folder string) error {
	devices, err := ReadAuthority(folder)
	if err != nil {
		return err
	}
	pair, err := devices.Issue("device")
	if err != nil {
		return err
	}
	return writePair(folder, "device.pem", "device-key.pem", pair)
}

// ReadAuthority reads the authority that WriteAuthority created.
func ReadAuthority(folder string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "ca.pem"), filepath.Join(folder, "ca-key.pem"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the devices' authority: %w", err)
	}
	return &Authority{pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)}, nil
}

// Issue creates a device's certificate.
func (a *Authority) Issue(name string) (tls.Certificate, error) {
	return a.sign(certificateOf(name, x509.ExtKeyUsageClientAuth))
}

func certificateOf(name string, usage x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
}

// sign creates a key and its certificate; with the zero Authority, the certificate is self-signed.
func (a *Authority) sign(t *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot create a key: %w", err)
	}
	parent, by := a.Certificate, a.key
	if parent == nil {
		parent, by = t, key
	}
	certificate, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, by)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("cannot create a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{certificate}, PrivateKey: key}, nil
}

// writePair writes a certificate and its key as PEM.
func writePair(folder, certFile, keyFile string, pair tls.Certificate) error {
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return fmt.Errorf("cannot write the key: %w", err)
	}
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("cannot write the certificate: %w", err)
		}
	}
	return nil
}
