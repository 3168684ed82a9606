package gateway

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"

	"jobgate/gateway/edge"
)

// admin answers operators. It uses net/http, as pprof and the metrics do; nothing here needs to be fast.
func (s *Server) admin() edge.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Metrics.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("POST /-/reload", s.debugOnly(s.reload))
	mux.HandleFunc("GET /config", s.debugOnly(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(s.config.Dump())
	}))
	mux.HandleFunc("GET /debug/pprof/", s.debugOnly(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/cmdline", s.debugOnly(pprof.Cmdline))
	mux.HandleFunc("GET /debug/pprof/profile", s.debugOnly(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/symbol", s.debugOnly(pprof.Symbol))
	mux.HandleFunc("GET /debug/pprof/trace", s.debugOnly(pprof.Trace))
	serve := fasthttpadaptor.NewFastHTTPHandler(mux)
	return func(ctx *fasthttp.RequestCtx) *edge.Route {
		serve(ctx)
		return nil
	}
}

// debugOnly restricts reload, configuration and profiles to processes of this
// machine, unless admin_debug is set. It checks the Host too, against DNS rebinding
// by a web page in the operator's browser.
func (s *Server) debugOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		local := err == nil && peer.Addr().Unmap().IsLoopback() && isLoopbackHost(r.Host)
		if !local && !s.config.AdminDebug {
			writeFault(w, &Error{Status: http.StatusForbidden, Code: "Forbidden", Message: "only loopback peers may use this, unless admin_debug is true"})
			return
		}
		next(w, r)
	}
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if err := s.config.Reload(r.Context()); err != nil {
		writeFault(w, &Error{Status: http.StatusBadRequest, Code: "InvalidConfiguration", Message: err.Error()})
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// Readiness is the body of /readyz.
type Readiness struct {
	Ready    bool         `json:"ready"`
	Draining bool         `json:"draining,omitempty"`
	Roles    []RoleHealth `json:"roles,omitempty"`
	Store    *StoreHealth `json:"store,omitempty"` // of the jobs; Ready ignores it, because documents are served without it
}

// StoreHealth is the jobs store's part of Readiness.
type StoreHealth struct {
	Kind  string     `json:"kind"`  // sqlite or postgres
	State string     `json:"state"` // ok or failing
	Since *time.Time `json:"since,omitempty"`
	Error string     `json:"error,omitempty"`
}

// RoleHealth is a role's part of Readiness.
type RoleHealth struct {
	Name    string     `json:"name"`
	State   string     `json:"state"` // cold, ready or failing
	Expires *time.Time `json:"session_expires,omitempty"`
	Error   string     `json:"error,omitempty"`
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	readiness := s.handler.Load().Readiness()
	if s.group.Draining() {
		readiness.Ready, readiness.Draining = false, true
	}
	if s.config.Store != nil {
		health := s.config.Store()
		readiness.Store = &health
	}
	status := http.StatusOK
	if !readiness.Ready {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, status, readiness)
}

func writeFault(w http.ResponseWriter, e *Error) {
	writeJSON(w, e.Status, json.RawMessage(e.AppendBody(nil)))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the peer may be gone
}
