package tlsserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"jobgate/gateway/localfile"
)

// Files names the files of a listener's certificate. They are reloaded when they change.
type Files struct {
	Setting           string // the setting that names the files, for errors: "tls", "control_tls"
	CertFile, KeyFile string
	ClientCAFile      string // the authorities that verify client certificates; "": certificates are not verified
	RequireClientCert bool
	NextProtos        []string      // protocols for ALPN; nil: http/1.1
	Every             time.Duration // how often Watch checks the files; 0: every 2 s
}

// Certificates holds the TLS configuration of new connections.
type Certificates struct {
	files   Files
	log     *slog.Logger
	base    *tls.Config // keeps the keys of session tickets across reloads
	current atomic.Pointer[tls.Config]
	changes *localfile.Watcher
}

// New loads the files.
func New(files Files, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{files: files, log: log}
	c.changes = localfile.NewWatcher(func() []string { return []string{files.CertFile, files.KeyFile, files.ClientCAFile} })
	c.changes.Every = files.Every
	config, err := files.load()
	if err != nil {
		return nil, err
	}
	c.current.Store(config)
	c.base = &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil },
	}
	return c, nil
}

// Config returns the server's TLS configuration. Each handshake uses the current certificate.
func (c *Certificates) Config() *tls.Config { return c.base }

func (t Files) load() (*tls.Config, error) {
	pair, err := localfile.KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot load the certificate of %[1]s.cert_file %[2]q and %[1]s.key_file %[3]q: %[4]w", t.Setting, t.CertFile, t.KeyFile, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: t.NextProtos}
	if t.NextProtos == nil {
		config.NextProtos = []string{"http/1.1"}
	}
	if t.ClientCAFile == "" {
		return config, nil
	}
	pem, _, err := localfile.Read(t.ClientCAFile, localfile.Limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s.client_ca_file: %w", t.Setting, err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot use %s.client_ca_file %q: it holds no certificate in PEM", t.Setting, t.ClientCAFile)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	if t.RequireClientCert {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// Watch reloads the files when they change, until ctx ends. If they cannot be loaded, the current certificate stays in use.
func (c *Certificates) Watch(ctx context.Context) {
	c.changes.Run(ctx, func() {
		config, err := c.files.load()
		if err != nil {
			c.log.Error("cannot reload the certificate; still using the old one", "setting", c.files.Setting, "error", err)
			return
		}
		c.current.Store(config)
		c.log.Info("certificate reloaded", "cert_file", c.files.CertFile)
	})
}

// Expiry returns when the current certificate expires.
func (c *Certificates) Expiry() time.Time {
	for _, pair := range c.current.Load().Certificates {
		if pair.Leaf != nil {
			return pair.Leaf.NotAfter
		}
	}
	return time.Time{}
}
