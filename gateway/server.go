package gateway

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
	"jobgate/gateway/edge/openfiles"
	"jobgate/gateway/metrics"
)

// ServerConfig is the part of the configuration that needs a restart to change.
type ServerConfig struct {
	Listen     string   // devices, "host:port"; "": none
	Admin      string   // operators; "": none
	AdminDebug bool     // reload, configuration and profiles also for peers beyond loopback
	Sidecar    string   // "host:port" or "unix:///path"; "": none
	Control    *Control // the IoT Jobs control plane; nil: none
	TLS        *TLS     // of the devices' listener; nil: plain
	Services   []Service
	Limits     Limits
	Streaming  bool               // request bodies may be streamed to an upstream
	DrainDelay time.Duration      // between failing /readyz and closing the listeners
	DrainLimit time.Duration      // after that, for the requests in flight
	Store      func() StoreHealth // of the jobs; nil: no store
	Reload     func(context.Context) error
	Dump       func() []byte // the current configuration, without secrets
	Metrics    *metrics.Set
	Spans      edge.Spans // of the requests of devices, callers and operators, not of admin's; nil: none
	Log        *slog.Logger
}

// TLS names the files of a listener's certificate.
type TLS = edge.TLS

// Control is the control plane's listener.
type Control struct {
	Address string // "host:port"
	TLS     *TLS   // nil: plain
	// Options are the control plane's request handling; the Server adds limits, metrics and logs.
	Options edge.HTTPOptions
	// Close ends the event streams, which do not end by themselves, when the listener
	// stops.
	Close func()
}

// Service is a devices' listener with a server that does not speak HTTP.
type Service struct {
	Name, Address  string // the setting that holds the address, and the metrics' label
	TLS            *TLS   // nil: plain
	MaxConnections int    // 0: its share of the open-files limit
	Server         edge.Server
	Stop           func() // nil: see edge.Member
}

// Server owns the listeners and swaps their Handlers.
type Server struct {
	config  ServerConfig
	handler atomic.Pointer[Handler]
	group   edge.Group
}

// NewServer binds every listener, so that a port in use is an error here. Run starts
// serving.
func NewServer(c ServerConfig, h *Handler) (_ *Server, err error) {
	s := &Server{config: c, group: edge.Group{Drain: edge.Drain{Delay: c.DrainDelay, Timeout: c.DrainLimit}, Log: c.Log}}
	s.handler.Store(h)
	defer func() {
		if err != nil {
			s.group.Close()
		}
	}()
	all := s.listeners()
	shares := make([]openfiles.Share, len(all))
	for i, l := range all {
		shares[i] = openfiles.Share{Weight: l.weight, Max: l.max, Proxied: l.http.Streaming}
	}
	for i, most := range openfiles.Divide(openfiles.Limit(), shares...) {
		if all[i].max > most {
			c.Log.Warn("the limit of open files (ulimit -n) leaves fewer connections than limits.max_connections", "listener", all[i].name, "max_connections", all[i].max, "left", most)
		}
		all[i].max = most
		if err = s.add(all[i]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// listener is one listener of the Server.
type listener struct {
	edge.Member
	name, address string
	tls           *TLS
	http          edge.HTTPOptions
	trusts        bool // PROXY headers of trusted proxies
	weight, max   int  // see openfiles.Share
}

// Shares of the open-files limit: there are many devices, and few callers of the other listeners.
const (
	deviceWeight   = 12
	operatorWeight = 2
)

// listeners returns the configured listeners.
func (s *Server) listeners() []*listener {
	c := &s.config
	var all []*listener
	if c.Listen != "" {
		all = append(all, &listener{
			name: "listen", address: c.Listen, tls: c.TLS, trusts: true, weight: deviceWeight, max: c.Limits.MaxConnections,
			http: edge.HTTPOptions{
				Handler: func(ctx *fasthttp.RequestCtx) *edge.Route { return s.handler.Load().Serve(ctx) },
				Route:   c.Metrics.Edge.Route("none", c.Log), Draining: s.group.Draining, Streaming: c.Streaming,
			},
		})
	}
	for _, service := range c.Services {
		all = append(all, &listener{
			name: service.Name, address: service.Address, tls: service.TLS, trusts: true, weight: deviceWeight, max: service.MaxConnections,
			Member: edge.Member{Server: service.Server, Stop: service.Stop},
		})
	}
	if c.Sidecar != "" {
		all = append(all, &listener{
			name: "sidecar", address: c.Sidecar, weight: operatorWeight,
			http: edge.HTTPOptions{
				Handler: func(ctx *fasthttp.RequestCtx) *edge.Route { return s.handler.Load().ServeSidecar(ctx) },
				Route:   c.Metrics.Edge.Route("sidecar", c.Log),
			},
		})
	}
	if c.Control != nil {
		o := c.Control.Options
		o.Route = c.Metrics.Edge.Route("control", c.Log)
		o.Refusals.WarnDenied = true
		all = append(all, &listener{
			name: "control", address: c.Control.Address, tls: c.Control.TLS, trusts: true, weight: operatorWeight, http: o,
			Member: edge.Member{Stop: c.Control.Close},
		})
	}
	if c.Admin != "" {
		all = append(all, &listener{
			name: "admin", address: c.Admin, Member: edge.Member{Last: true},
			http: edge.HTTPOptions{Handler: s.admin(), Route: c.Metrics.Edge.Route("admin", c.Log)},
		})
	}
	return all
}

// add binds l and adds it to the group.
func (s *Server) add(l *listener) (err error) {
	c := &s.config
	o := edge.Options{
		Name: l.name, Address: l.address, TLS: l.tls, MaxConnections: l.max, Refuse: edge.RefuseHTTP,
		ReadTimeout: c.Limits.ReadTimeout, IdleTimeout: c.Limits.IdleTimeout, WriteTimeout: c.Limits.WriteTimeout,
		Metrics: c.Metrics.Edge, Log: c.Log,
	}
	if l.Server != nil {
		o.Refuse = nil // it does not speak HTTP
	}
	if l.trusts {
		o.Trusted = func(peer netip.Addr) bool { return s.handler.Load().trusts(peer) }
	}
	if l.Listener, err = edge.Listen(o); err != nil {
		return err
	}
	s.group.Add(s.served(l))
	return nil
}

// served returns l as a group member, with its server.
func (s *Server) served(l *listener) edge.Member {
	if l.Server != nil {
		return l.Member
	}
	c, h := &s.config, l.http
	h.MaxRequestHeader, h.MaxBody = c.Limits.MaxRequestHeader, c.Limits.MaxBody
	h.ReadTimeout, h.IdleTimeout, h.Panics = c.Limits.ReadTimeout, c.Limits.IdleTimeout, c.Metrics.Edge.Panics
	h.Refusals.Log, h.Refusals.Limit = c.Log, &c.Metrics.LogLimit
	if !l.Last { // probes and scrapes are not worth a trace
		h.Spans = c.Spans
	}
	l.Server = edge.NewHTTP(h)
	return l.Member
}

// Swap replaces the current Handler with h. Requests in flight finish with the old one.
func (s *Server) Swap(h *Handler) {
	s.handler.Swap(h).Close()
}

// Addr returns the address of a listener: "listen", "sidecar", "control" or "admin".
func (s *Server) Addr(name string) net.Addr { return s.group.Addr(name) }

// Run serves until ctx ends or a listener fails, then drains: /readyz turns 503, the
// drain delay passes, new connections stop, requests in flight finish and keep-alive
// connections close. It returns nil after a complete drain.
func (s *Server) Run(ctx context.Context) error {
	err := s.group.Run(ctx)
	s.handler.Load().Close()
	return err
}
