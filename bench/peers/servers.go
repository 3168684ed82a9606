package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/valyala/fasthttp"
)

// servePeer is the first argument of this program when it is one of the servers that
// it compares: serve-peer NAME ADDRESS FOLDER.
const servePeer = "serve-peer"

// The servers of this program.
const (
	peerFasthttp     = "fasthttp"          // the same bytes, nothing else
	peerFasthttpMTLS = "fasthttp-mtls"     // the same to clients with a certificate
	peerTemplate     = "fasthttp-template" // the unfilled document: an upstream
	peerHash         = "fasthttp-hash"     // one SHA-256 and one HMAC, as many bytes
	peerSigner       = "fasthttp-v4signer" // the SDK's signer for each request
	peerNetHTTP      = "nethttp"           // the same bytes, nothing else
	peerNetPresigner = "nethttp-s3presign" // the SDK's presign client for each request
	bareFile         = "hot"               // the same bytes, under the folder static
	lifetime         = time.Hour           // of all URLs
	contentType      = "application/json"  // of all answers
	cacheControl     = "no-store"          // as jobgate says it
	urlHost          = "s3.us-east-1.amazonaws.com"
)

// serve runs one of the servers until it is killed.
func serve(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s takes NAME ADDRESS FOLDER", servePeer)
	}
	name, address, folder := args[0], args[1], args[2]
	document, err := os.ReadFile(filepath.Join(folder, "document.json"))
	if err != nil {
		return fmt.Errorf("cannot read the document: %w", err)
	}
	before, after := cutPlaceholder(document)
	switch name {
	case peerTemplate:
		return serveFast(address, nil, constant(document))
	case peerHash:
		body, err := os.ReadFile(filepath.Join(folder, "static", bareFile))
		if err != nil {
			return fmt.Errorf("cannot read the answer: %w", err)
		}
		return serveFast(address, nil, hashing(body))
	case peerSigner:
		return serveFast(address, nil, signing(before, after))
	case peerNetPresigner:
		return serveNet(address, presigning(before, after))
	}
	body, err := os.ReadFile(filepath.Join(folder, "static", bareFile))
	if err != nil {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	switch name {
	case peerFasthttp:
		return serveFast(address, nil, constant(body))
	case peerFasthttpMTLS:
		config, err := mutualTLS(folder)
		if err != nil {
			return err
		}
		return serveFast(address, config, constant(body))
	case peerNetHTTP:
		return serveNet(address, func(w http.ResponseWriter, _ *http.Request) { answerNet(w, body) })
	}
	return fmt.Errorf("there is no server %q", name)
}

// cutPlaceholder returns what stands before and after the document's placeholder.
func cutPlaceholder(document []byte) (before, after []byte) {
	i := bytes.Index(document, []byte("${aws:iot:"))
	j := i + bytes.IndexByte(document[i:], '}') + 1
	return document[:i], document[j:]
}

// serveFast is a fasthttp server with the same timeouts and limits as jobgate's; secure is nil for plain HTTP.
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

// mutualTLS is TLS with the run's certificate, for clients with one of the devices' authority.
func mutualTLS(folder string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		return nil, err
	}
	devices, err := readAuthority(folder)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	c.ClientCAs.AddCert(devices.certificate)
	return c, nil
}

// serveNet is a net/http server with them.
func serveNet(address string, handler http.HandlerFunc) error {
	s := &http.Server{
		Addr: address, Handler: handler, MaxHeaderBytes: 8 << 10,
		ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second,
	}
	return s.ListenAndServe()
}

func headFast(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.SetContentType(contentType)
	ctx.Response.Header.Set("Cache-Control", cacheControl)
}

func answerNet(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", cacheControl)
	_, _ = w.Write(body) // the load counts what arrives
}

// constant answers with the same bytes.
func constant(body []byte) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		headFast(ctx)
		ctx.SetBody(body)
	}
}

// hashing answers with as many bytes as body has, into which it writes one signature:
// it hashes what a canonical request would have, once, and authenticates a string to
// sign, once. There is no less to a signed URL per device.
func hashing(body []byte) fasthttp.RequestHandler {
	canonical := bytes.Repeat([]byte("x"), len(body))
	// One core, one request at a time in the handler: the state needs no pool.
	mac := hmac.New(sha256.New, []byte(secretKey))
	at := bytes.LastIndex(body, []byte("X-Amz-Signature=")) + len("X-Amz-Signature=")
	toSign := make([]byte, 0, 256)
	return func(ctx *fasthttp.RequestCtx) {
		headFast(ctx)
		copy(canonical, ctx.Request.Header.RequestURI())
		hash := sha256.Sum256(canonical)
		toSign = append(toSign[:0], "AWS4-HMAC-SHA256\n20260101T000000Z\n20260101/us-east-1/s3/aws4_request\n"...)
		toSign = hex.AppendEncode(toSign, hash[:])
		mac.Reset()
		mac.Write(toSign)
		sum := mac.Sum(toSign[:0])
		out := ctx.Response.SwapBody(nil)[:0]
		out = append(out, body[:at]...)
		out = hex.AppendEncode(out, sum)
		out = append(out, body[at+2*sha256.Size:]...)
		ctx.Response.SwapBody(out)
	}
}

// signing signs with the SDK's signer, the fast way to use it: no client, no
// middleware, one signer for all requests.
func signing(before, after []byte) fasthttp.RequestHandler {
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	creds := aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: secretKey, SessionToken: session}
	query := fmt.Sprintf("?X-Amz-Expires=%d", int(lifetime.Seconds()))
	return func(ctx *fasthttp.RequestCtx) {
		req, err := http.NewRequest(http.MethodGet, "https://"+urlHost+"/"+bucketName+"/"+string(deviceKey(ctx.Path()))+query, nil)
		if err != nil {
			ctx.Error(err.Error(), fasthttp.StatusBadRequest)
			return
		}
		url, _, err := signer.PresignHTTP(ctx, creds, req, "UNSIGNED-PAYLOAD", "s3", region, time.Now())
		if err != nil {
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
			return
		}
		headFast(ctx)
		out := ctx.Response.SwapBody(nil)[:0]
		out = append(append(append(out, before...), url...), after...)
		ctx.Response.SwapBody(out)
	}
}

// deviceKey makes the object's key from a request's path: /things/NAME/document is
// the device's, all others are one object.
func deviceKey(path []byte) []byte {
	if rest, ok := bytes.CutPrefix(path, []byte("/things/")); ok {
		name, _, _ := bytes.Cut(rest, []byte("/"))
		return append(append([]byte(nil), name...), "/v7.bin"...)
	}
	return []byte("images/v7.bin")
}

// presigning signs with the SDK's presign client, the way its documentation shows.
func presigning(before, after []byte) http.HandlerFunc {
	client := s3.NewPresignClient(newS3())
	return func(w http.ResponseWriter, r *http.Request) {
		signed, err := client.PresignGetObject(r.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucketName), Key: aws.String(string(deviceKey([]byte(r.URL.Path)))),
		}, s3.WithPresignExpires(lifetime))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		var body strings.Builder
		body.Grow(len(before) + len(signed.URL) + len(after))
		body.Write(before)
		body.WriteString(signed.URL)
		body.Write(after)
		answerNet(w, []byte(body.String()))
	}
}

// newS3 is the SDK's client with the credentials of all.
func newS3() *s3.Client {
	return s3.New(s3.Options{
		Region: region, UsePathStyle: true,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(accessKeyID, secretKey, session)),
	})
}

// background is the context of what cannot be interrupted.
var background = context.Background()
