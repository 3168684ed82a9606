package bench

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// sessions is the number of TLS sessions kept for resumption.
const sessions = 4096

// tlsFlags are the options for https targets.
type tlsFlags struct {
	ca, cert, key, name string
	insecure, resume    bool
}

func (f *tlsFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.ca, "ca-file", "", "TLS: certificates to trust instead of the system's (PEM)")
	set.StringVar(&f.cert, "cert-file", "", "TLS: client certificate (PEM)")
	set.StringVar(&f.key, "key-file", "", "TLS: the client certificate's key (PEM)")
	set.StringVar(&f.name, "server-name", "", "TLS: server name to send and verify, instead of the URL's host")
	set.BoolVar(&f.insecure, "insecure", false, "TLS: do not check the target's certificate")
	set.BoolVar(&f.resume, "tls-resume", true, "TLS: resume sessions when reconnecting, as devices with a session cache do")
}

// config returns the client's TLS configuration from the flags.
func (f *tlsFlags) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.name, InsecureSkipVerify: f.insecure}
	if f.resume {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("cannot read the certificates to trust: %w; see --ca-file", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cannot use %q: it holds no PEM certificate; see --ca-file", f.ca)
		}
	}
	if (f.cert == "") != (f.key == "") {
		return nil, fmt.Errorf("cannot use a client certificate without both --cert-file and --key-file")
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("cannot use client certificate %q: %w; see --cert-file, --key-file", f.cert, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
