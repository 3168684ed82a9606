package gateway_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/valyala/fasthttp"

	"jobgate/gateway"
	"jobgate/gateway/edge"
	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/target"
)

// endless is a connection that delivers the same request n times and discards the answers.
type endless struct {
	net.Conn
	request []byte
	n       int
	written int64
}

func (c *endless) Read(p []byte) (int, error) {
	if c.n == 0 {
		return 0, io.EOF
	}
	c.n--
	return copy(p, c.request), nil
}

func (c *endless) Write(p []byte) (int, error) {
	c.written += int64(len(p))
	return len(p), nil
}

func (*endless) Close() error         { return nil }
func (*endless) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (*endless) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (*endless) SetDeadline(time.Time) error      { return nil }
func (*endless) SetReadDeadline(time.Time) error  { return nil }
func (*endless) SetWriteDeadline(time.Time) error { return nil }

// benchServer serves b.N requests for path on one in-memory connection.
func benchServer(b *testing.B, server interface{ ServeConn(net.Conn) error }, path string, header ...string) {
	b.Helper()
	lines := strings.Join(append([]string{"GET " + path + " HTTP/1.1", "Host: gateway.test"}, header...), "\r\n")
	conn := &endless{request: []byte(lines + "\r\n\r\n"), n: b.N}
	b.ReportAllocs()
	b.ResetTimer()
	if err := server.ServeConn(conn); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(conn.written)/float64(b.N), "answer-B")
}

// served returns the devices' HTTP layer with g's Handler.
func served(g *testGateway) *edge.HTTP {
	return edge.NewHTTP(edge.HTTPOptions{Handler: g.handler.Serve, MaxRequestHeader: 8 << 10, MaxBody: 1 << 20, ReadTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second, Streaming: true})
}

// BenchmarkServe serves a whole request. BenchmarkServe_BareFasthttp is a bare handler that writes the same bytes.
func BenchmarkServe(b *testing.B) {
	g := newGateway(b, nil)
	g.write("j1.json", hot)
	benchServer(b, served(g), "/things/thing-0001/jobs/j1/document")
}

func BenchmarkServe_BareFasthttp(b *testing.B) {
	g := newGateway(b, nil)
	g.write("j1.json", hot)
	body := []byte(g.get("/things/thing-0001/jobs/j1/document").body)
	bare := func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.SetContentType("application/json")
		ctx.Response.Header.Set("Cache-Control", "no-store")
		ctx.SetBody(body)
	}
	server := &fasthttp.Server{Handler: bare, NoDefaultServerHeader: true, NoDefaultContentType: true, ReadTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second}
	benchServer(b, server, "/things/thing-0001/jobs/j1/document")
}

// BenchmarkServe_PerDevice signs one URL per request.
func BenchmarkServe_PerDevice(b *testing.B) {
	g := newGateway(b, nil)
	g.write("j1.json", perDevice)
	benchServer(b, served(g), "/things/thing-0001/jobs/j1/document")
}

// BenchmarkServe_SigV4 is BenchmarkServe for a device that signs its requests.
func BenchmarkServe_SigV4(b *testing.B) {
	keys, err := access.ParseKeys([]byte("access_keys: [{id: AKIADEVICE, secret: a-secret-of-a-device, things: 'thing-*'}]"))
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := access.NewVerifier("us-east-1", keys)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	g := newGateway(b, func(c *gateway.Config, g *testGateway) {
		g.at(now)
		c.Auth = gateway.Auth{Mode: gateway.AuthSigV4, Verify: func(ctx *fasthttp.RequestCtx, t *target.Target, now time.Time) (gateway.Caller, error) {
			caller, fault := verifier.Identify(ctx, t, now)
			if fault != nil {
				return nil, fault
			}
			return caller, nil
		}}
	})
	g.write("j1.json", hot)
	path := "/things/thing-0001/jobs/j1/document"
	request, err := http.NewRequest("GET", "http://gateway.test"+path, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	key := aws.Credentials{AccessKeyID: "AKIADEVICE", SecretAccessKey: "a-secret-of-a-device"}
	empty := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(b.Context(), key, request, hex.EncodeToString(empty[:]), "iot-jobs-data", "us-east-1", now); err != nil {
		b.Fatal(err)
	}
	var signed []string
	for name, values := range request.Header {
		signed = append(signed, name+": "+values[0])
	}
	if r := g.get(path, signed...); r.StatusCode != http.StatusOK {
		b.Fatal(r.Status, r.body)
	}
	benchServer(b, served(g), path, signed...)
}
