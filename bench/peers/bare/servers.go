// Package bare has minimal servers to compare jobgate with. They send the same bytes, compute one hash and one HMAC, or run
// an SDK's signer for each request. Each runs in its own process: serve-peer NAME ADDRESS FOLDER.
package bare

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/bench/peers/certificates"
)

// Word is the first argument of this program when it runs one of these servers:
// serve-peer NAME ADDRESS FOLDER.
const Word = "serve-peer"

// The servers of this program.
const (
	Fasthttp     = "fasthttp"          // the same bytes, nothing else
	FasthttpMTLS = "fasthttp-mtls"     // the same, for clients with a certificate
	Unfilled     = "fasthttp-template" // the unfilled document: an upstream
	Hashing      = "fasthttp-hash"     // one SHA-256 and one HMAC, as many bytes
	Signer       = "fasthttp-v4signer" // the SDK's signer for each request
	NetHTTP      = "nethttp"           // the same bytes, nothing else
	Presigner    = "nethttp-s3presign" // the SDK's presign client for each request
)

// File is the file in the folder static with the answer of the servers.
const File = "hot"

// Serve runs one of the servers until it is killed.
func Serve(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes NAME ADDRESS FOLDER", Word)
	}
	name, address, folder := args[0], args[1], args[2]
	document, err := os.ReadFile(filepath.Join(folder, "document.json"))
	if err != nil {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	before, after := CutPlaceholder(document)
	switch name {
	case Unfilled:
		return serveFast(address, nil, constant(document))
	case Hashing:
		body, err := os.ReadFile(filepath.Join(folder, "static", File))
		if err != nil {
			return fmt.Errorf("cannot read the answer: %w", err)
		}
		return serveFast(address, nil, hashing(body))
	case Signer:
		return serveFast(address, nil, signing(before, after))
	case Presigner:
		return serveNet(address, presigning(before, after))
	}
	body, err := os.ReadFile(filepath.Join(folder, "static", File))
	if err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	switch name {
	case Fasthttp:
		return serveFast(address, nil, constant(body))
	case FasthttpMTLS:
		config, err := mutualTLS(folder)
		if err != nil {
			return err
		}
		return serveFast(address, config, constant(body))
	case NetHTTP:
		return serveNet(address, func(w http.ResponseWriter, _ *http.Request) { answerNet(w, body) })
	}
	return fmt.Errorf("unknown server %q", name)
}

// serveFast runs a fasthttp server with jobgate's timeouts and limits; secure is nil for plain HTTP.
func serveFast(address string, secure *tls.Config, handler fasthttp.RequestHandler) error {
	s := &fasthttp.Server{
		Handler: handler, ReadBufferSize: 8 << 10, MaxRequestBodySize: 1 << 20, SecureErrorLogMessage: true,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second, MaxIdleWorkerDuration: 10 * time.Second,
		Concurrency: 1 << 23, NoDefaultServerHeader: true, NoDefaultContentType: true, DisablePreParseMultipartForm: true, CloseOnShutdown: true,
	}
	ln, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	if secure != nil {
		ln = tls.NewListener(ln, secure)
	}
	return s.Serve(ln)
}

// mutualTLS returns a TLS configuration with the run's certificate that requires a client certificate from the devices'
// authority.
func mutualTLS(folder string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		return nil, err
	}
	devices, err := certificates.ReadAuthority(folder)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	c.ClientCAs.AddCert(devices.Certificate)
	return c, nil
}

// serveNet runs a net/http server with the same timeouts and limits.
func serveNet(address string, handler http.HandlerFunc) error {
	s := &http.Server{
		Addr: address, Handler: handler, MaxHeaderBytes: 8 << 10,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second,
	}
	return s.ListenAndServe()
}
