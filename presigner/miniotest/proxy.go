package miniotest

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Kind is the kind of a request.
type Kind string

// The kinds of requests that a [Proxy] distinguishes.
const (
	AssumeRole Kind = "AssumeRole" // STS; the name is the role's ARN
	STS        Kind = "STS"        // any other STS action; the name is the action
	Get        Kind = "GET"        // S3; the name is "/bucket/key", decoded
	Head       Kind = "HEAD"       // S3, as Get
	Put        Kind = "PUT"        // S3, as Get
	Other      Kind = "other"      // any other method; the name is the path, decoded
)

// Request is a [Proxy]'s record of a request, including one that it failed.
type Request struct {
	Kind Kind
	Name string
	// Form holds the parameters of an STS request, nil for S3.
	Form url.Values
}

// Proxy sits between the code under test and a [Server]. It forwards requests byte for
// byte, so that signatures stay valid, records them, and injects [Faults]. It is safe for
// concurrent use.
type Proxy struct {
	// URL is "http://127.0.0.1:port", without a trailing slash; it stays the same
	// while the proxy is stopped.
	URL string
	// Addr is "127.0.0.1:port".
	Addr string

	server *Server
	pass   *httputil.ReverseProxy

	mu       sync.Mutex
	faults   Faults
	requests []Request
	sessions map[string]time.Time // by access key id: when the proxy ends it
	http     *http.Server         // nil while stopped
}

// NewProxy starts a proxy in front of s. It ends with tb.
func NewProxy(tb testing.TB, s *Server) *Proxy {
	tb.Helper()
	p := &Proxy{server: s, sessions: map[string]time.Time{}}
	p.pass = &httputil.ReverseProxy{
		Rewrite:        p.rewrite,
		ModifyResponse: p.modify,
		Transport:      &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("cannot listen for a proxy: %v", err)
	}
	p.Addr = ln.Addr().String()
	p.URL = "http://" + p.Addr
	p.serve(ln)
	tb.Cleanup(p.Stop)
	return p
}

// Stop refuses connections and closes open ones, until Resume.
func (p *Proxy) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.http != nil {
		_ = p.http.Close()
		p.http = nil
	}
}

// Resume serves again, at the same address, after Stop.
func (p *Proxy) Resume(tb testing.TB) {
	tb.Helper()
	ln, err := net.Listen("tcp", p.Addr)
	if err != nil {
		tb.Fatalf("cannot listen again for a proxy: %v", err)
	}
	p.serve(ln)
}

func (p *Proxy) serve(ln net.Listener) {
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	p.mu.Lock()
	p.http = server
	p.mu.Unlock()
	go func() { _ = server.Serve(ln) }()
}

// Inject injects the faults f from the next request on. Inject(Faults{}) ends them.
func (p *Proxy) Inject(f Faults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = f
}

// Requests returns the requests so far, oldest first.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.requests...)
}

// Count returns how many requests of kind were seen, for name, or for any if name is "".
func (p *Proxy) Count(kind Kind, name string) int {
	n := 0
	for _, r := range p.Requests() {
		if r.Kind == kind && (name == "" || r.Name == name) {
			n++
		}
	}
	return n
}

// Env is [Server.Env] with this proxy as S3 and STS.
func (p *Proxy) Env() []string {
	return append(p.server.credentialEnv(), "AWS_ENDPOINT_URL_S3="+p.URL, "AWS_ENDPOINT_URL_STS="+p.URL)
}

// ServeHTTP records the request, applies the current faults and forwards it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := classify(r)
	p.mu.Lock()
	p.requests = append(p.requests, req)
	faults := p.faults
	p.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(faults.Skew).UTC().Format(http.TimeFormat))
	if faults.fail(w, r, req) || p.ended(w, r, faults.Skew) {
		return
	}
	w.Header().Del("Date") // the server's own answer has one: see modify
	ctx := context.WithValue(r.Context(), faultsKey{}, faults)
	p.pass.ServeHTTP(w, r.WithContext(ctx))
}

// faultsKey is the context key of the Faults at a request's arrival.
type faultsKey struct{}

// rewrite forwards the request with the signed Host, path and query.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", p.server.Addr
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.Host = r.In.Host
}

// classify returns r's kind and parameters. The body of an STS request is read and restored.
func classify(r *http.Request) Request {
	if r.Method == http.MethodPost && r.URL.Path == "/" {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		if form.Get("Action") == string(AssumeRole) {
			return Request{Kind: AssumeRole, Name: form.Get("RoleArn"), Form: form}
		}
		return Request{Kind: STS, Name: form.Get("Action"), Form: form}
	}
	switch kind := Kind(r.Method); kind {
	case Get, Head, Put:
		return Request{Kind: kind, Name: r.URL.Path}
	}
	return Request{Kind: Other, Name: r.URL.Path}
}
