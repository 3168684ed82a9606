package mqtt

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"jobgate/gateway/localfile"
)

// Authorities check devices' certificates after the handshake: they must be signed by an authority in a file, and not be
// revoked. The files are read again when they change. It is safe for concurrent use.
type Authorities struct {
	options AuthoritiesOptions
	current atomic.Pointer[trust]
	changes *localfile.Watcher
}

// AuthoritiesOptions name the files, and the field of a certificate that names the thing.
type AuthoritiesOptions struct {
	CAFile  string // authorities in PEM
	CRLFile string // lists of revoked certificates, PEM or DER; "": none is revoked
	// Name returns the name of a certificate's thing; false if it names none.
	Name func(leaf *x509.Certificate) (thing string, ok bool)
	Log  *slog.Logger
}

// trust is the content of the files.
type trust struct {
	roots   *x509.CertPool
	known   map[string]bool // the roots, in DER
	revoked map[string]bool // by issuer and serial number
}

// LoadAuthorities reads the files.
func LoadAuthorities(o AuthoritiesOptions) (*Authorities, error) {
	a := &Authorities{options: o}
	a.changes = localfile.NewWatcher(func() []string { return []string{o.CAFile, o.CRLFile} })
	t, err := a.load()
	if err != nil {
		return nil, err
	}
	a.current.Store(t)
	return a, nil
}

var (
	errRevoked = errors.New("the certificate is revoked")
	errTaken   = errors.New("the certificate's authority is no longer in mqtt.tls.client_ca_file")
	errNoName  = errors.New("the certificate names no thing, or more than one, where mqtt.auth.thing_name looks")
)

// Identify is for Config.Identify. The handshake may have used older authorities: the listener reads its files at its own
// times, and a resumed session was verified when it began.
func (a *Authorities) Identify(chains [][]*x509.Certificate) (thing string, err error) {
	t, leaf := a.current.Load(), chains[0][0]
	if !slices.ContainsFunc(chains, func(chain []*x509.Certificate) bool { return t.known[string(chain[len(chain)-1].Raw)] }) {
		return "", errTaken
	}
	if t.revoked[serial(leaf.RawIssuer, leaf.SerialNumber.String())] {
		return "", errRevoked
	}
	thing, ok := a.options.Name(leaf)
	if !ok {
		return "", errNoName
	}
	return thing, nil
}

// valid reports whether a certificate is valid now.
func (t *trust) valid(leaf *x509.Certificate, intermediates []*x509.Certificate) bool {
	pool := x509.NewCertPool()
	for _, c := range intermediates {
		pool.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: t.roots, Intermediates: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil && !t.revoked[serial(leaf.RawIssuer, leaf.SerialNumber.String())]
}

func serial(issuer []byte, number string) string { return string(issuer) + "/" + number }

// Watch reads the files again when they change, until ctx ends, and closes connections of s whose certificates are no longer
// valid. If the files cannot be read, the old content stays in use.
func (a *Authorities) Watch(ctx context.Context, s *Server) {
	a.changes.Run(ctx, func() { a.reload(s) })
}

func (a *Authorities) reload(s *Server) {
	t, err := a.load()
	if err != nil {
		a.options.Log.Error("mqtt: cannot reload the authorities; still using the old ones", "error", err)
		return
	}
	a.current.Store(t)
	a.options.Log.Info("mqtt: authorities reloaded", "client_ca_file", a.options.CAFile, "revoked", len(t.revoked))
	s.Recheck(t.valid)
}

func (a *Authorities) load() (*trust, error) {
	text, _, err := localfile.Read(a.options.CAFile, localfile.Limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read mqtt.tls.client_ca_file: %w", err)
	}
	t := &trust{roots: x509.NewCertPool(), known: map[string]bool{}, revoked: map[string]bool{}}
	var issuers []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			t.roots.AddCert(c)
			t.known[string(c.Raw)] = true
			issuers = append(issuers, c)
		}
	}
	if len(issuers) == 0 {
		return nil, fmt.Errorf("cannot use mqtt.tls.client_ca_file %q: it holds no certificate in PEM", a.options.CAFile)
	}
	if a.options.CRLFile == "" {
		return t, nil
	}
	if text, _, err = localfile.Read(a.options.CRLFile, 16*localfile.Limit); err != nil {
		return nil, fmt.Errorf("cannot read mqtt.tls.crl_file: %w", err)
	}
	return t, t.revoke(a.options.CRLFile, text, issuers)
}

// revoke adds the lists of a file, each signed by one of the issuers.
func (t *trust) revoke(file string, text []byte, issuers []*x509.Certificate) error {
	lists := [][]byte{text}
	if block, rest := pem.Decode(text); block != nil {
		for lists = nil; block != nil; block, rest = pem.Decode(rest) {
			lists = append(lists, block.Bytes)
		}
	}
	for _, der := range lists {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return fmt.Errorf("cannot use mqtt.tls.crl_file %q: %w", file, err)
		}
		if !signedByOne(list, issuers) {
			return fmt.Errorf("cannot use mqtt.tls.crl_file %q: the list of %s is not signed by an authority in mqtt.tls.client_ca_file", file, list.Issuer)
		}
		for _, e := range list.RevokedCertificateEntries {
			t.revoked[serial(list.RawIssuer, e.SerialNumber.String())] = true
		}
	}
	return nil
}

func signedByOne(list *x509.RevocationList, issuers []*x509.Certificate) bool {
	for _, c := range issuers {
		if list.CheckSignatureFrom(c) == nil {
			return true
		}
	}
	return false
}
