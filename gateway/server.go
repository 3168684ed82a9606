package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/linger"
)

// ServerConfig is what a Server keeps from its start to its end: a reload that changes
// any of it needs a restart.
type ServerConfig struct {
	Listen     string    // devices, "host:port"; "": none
	Admin      string    // operators; "": none
	AdminDebug bool      // reload, configuration and profiles for others than loopback peers
	Sidecar    string    // "host:port" or "unix:///path"; "": none
	Control    *Listener // the IoT Jobs control plane; nil: none
	TLS        *TLS      // of the devices' listener; nil: plain
	Limits     Limits
	LowMemory  bool          // memory: low
	Streaming  bool          // request bodies may be streamed to an upstream
	DrainDelay time.Duration // between not being ready and the end of listening
	DrainLimit time.Duration // for the requests in flight after that
	Reload     func(context.Context) error
	Dump       func() []byte // the configuration in force, without secrets
	Metrics    *Metrics
	Log        *slog.Logger
}

// Listener is one more listener, with a server of its own.
type Listener struct {
	Address string // "host:port"
	TLS     *TLS   // nil: plain
	Server  *fasthttp.Server
	// Close ends the requests that do not end by themselves, streams of events, when the
	// listener stops.
	Close func()
}

// Server owns the listeners and swaps Handlers beneath them.
type Server struct {
	config   ServerConfig
	handler  atomic.Pointer[Handler]
	counters *counters
	refused  *durations
	draining atomic.Bool
	fast     []*running // in the order in which they stop: devices first
	admin    *http.Server
	adminLn  net.Listener
	certs    []*certificates // of the listeners that have some
}

// running is one fasthttp listener.
type running struct {
	name   string
	server *fasthttp.Server
	ln     net.Listener
	close  func() // nil: every request ends by itself
}

// NewServer binds every listener, so that a port in use is an error here, and serves
// none of them before Run.
func NewServer(c ServerConfig, h *Handler) (_ *Server, err error) {
	s := &Server{config: c, counters: c.Metrics.counters(), refused: c.Metrics.route("none")}
	s.handler.Store(h)
	defer func() {
		if err != nil {
			s.closeListeners()
		}
	}()
	if c.Listen != "" {
		if err = s.listenDevices(); err != nil {
			return nil, err
		}
	}
	if c.Sidecar != "" {
		server := s.newFastHTTP(func(ctx *fasthttp.RequestCtx) { s.handler.Load().ServeSidecar(ctx) })
		if err = s.listen("sidecar", Listener{Address: c.Sidecar, Server: server}); err != nil {
			return nil, err
		}
	}
	if c.Control != nil {
		if err = s.listen("control", *c.Control); err != nil {
			return nil, err
		}
	}
	if c.Admin != "" {
		if s.adminLn, err = net.Listen("tcp", c.Admin); err != nil {
			return nil, fmt.Errorf("cannot listen on admin %q: %w", c.Admin, err)
		}
		s.admin = s.newAdmin()
	}
	return s, nil
}

func (s *Server) listenDevices() error {
	ln, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return fmt.Errorf("cannot listen on listen %q: %w", s.config.Listen, err)
	}
	l := s.config.Limits
	ln = &deviceListener{
		Listener: s.enduring(ln), server: s, tls: s.config.TLS != nil, max: int64(l.MaxConnections),
		readSlack: min(l.ReadTimeout, l.IdleTimeout) / 8, writeTimeout: l.WriteTimeout,
	}
	secured, err := s.secure(ln, s.config.TLS)
	if err != nil {
		_ = ln.Close()
		return err
	}
	server := s.newFastHTTP(func(ctx *fasthttp.RequestCtx) {
		s.handler.Load().Serve(ctx)
		if s.draining.Load() { // says so while the device can still connect anew elsewhere
			ctx.SetConnectionClose()
		}
	})
	server.StreamRequestBody = s.config.Streaming && !s.config.LowMemory
	s.fast = append(s.fast, &running{"listen", server, secured, nil})
	return nil
}

// enduring makes ln go on where it is short of something, and its connections able to linger.
func (s *Server) enduring(ln net.Listener) net.Listener {
	return &enduring{Listener: linger.Listener{Listener: ln}, log: s.config.Log}
}

// secure puts TLS before a listener, if it has any.
func (s *Server) secure(ln net.Listener, files *TLS) (net.Listener, error) {
	if files == nil {
		return ln, nil
	}
	certs, err := newCertificates(*files, s.config.Log)
	if err != nil {
		return nil, err
	}
	s.certs = append(s.certs, certs)
	return certs.listener(ln), nil
}

func (s *Server) listen(name string, l Listener) error {
	ln, err := listen(l.Address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s %q: %w", name, l.Address, err)
	}
	secured, err := s.secure(s.enduring(ln), l.TLS)
	if err != nil {
		_ = ln.Close()
		return err
	}
	s.fast = append(s.fast, &running{name, l.Server, secured, l.Close})
	return nil
}

// newFastHTTP returns a server with every limit set: fasthttp's own defaults wait for
// ever and log the bytes of malformed requests.
func (s *Server) newFastHTTP(handler fasthttp.RequestHandler) *fasthttp.Server {
	l := s.config.Limits
	return &fasthttp.Server{
		Handler:                      handler,
		ErrorHandler:                 s.malformed,
		Logger:                       quiet{},
		SecureErrorLogMessage:        true,
		Concurrency:                  1 << 23, // limits.max_connections is kept at accept
		ReadBufferSize:               l.MaxRequestHeader,
		ReadTimeout:                  l.ReadTimeout,
		IdleTimeout:                  l.IdleTimeout,
		MaxRequestBodySize:           max(l.MaxBody, 1), // 0 is fasthttp's 4 MiB
		MaxIdleWorkerDuration:        10 * time.Second,
		ReduceMemoryUsage:            s.config.LowMemory,
		CloseOnShutdown:              true,
		NoDefaultServerHeader:        true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
	}
}

// malformed answers a request that fasthttp could not read.
func (s *Server) malformed(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	e := errBadRequest("the request is not valid HTTP/1.1")
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		e = &Error{
			Status: http.StatusRequestHeaderFieldsTooLarge, Code: "RequestHeaderFieldsTooLarge",
			Message: fmt.Sprintf("request line and header are larger than %d bytes, the gateway's limits.max_request_header", s.config.Limits.MaxRequestHeader),
		}
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		e = errTooLarge("the body", s.config.Limits.MaxBody, "limits.max_body")
	case errors.As(err, &timeout) && timeout.Timeout():
		e = errTimeout()
	}
	e.Write(ctx)
	ctx.SetConnectionClose()
	s.refused[outcomeOf(e.Status)].Observe(0)
	if small != nil || errors.Is(err, fasthttp.ErrBodyTooLarge) { // there is more to come
		linger.Answer(ctx)
	}
}

// quiet drops fasthttp's own log lines: they hold bytes of requests.
type quiet struct{}

func (quiet) Printf(string, ...any) {}

// Swap puts h in the place of the Handler in force. Requests under way end as they began.
func (s *Server) Swap(h *Handler) {
	s.handler.Swap(h).Close()
}

// Addr returns the address of a listener: "listen", "sidecar", "control" or "admin".
func (s *Server) Addr(name string) net.Addr {
	if name == "admin" && s.adminLn != nil {
		return s.adminLn.Addr()
	}
	for _, r := range s.fast {
		if r.name == name {
			return r.ln.Addr()
		}
	}
	return nil
}

// Run serves until ctx ends or a listener breaks, then drains: /readyz turns 503, the
// drain delay passes, new connections stop, requests in flight finish and keep-alive
// connections close. It returns nil after a complete drain.
func (s *Server) Run(ctx context.Context) error {
	broken := make(chan error, len(s.fast)+1)
	var serving sync.WaitGroup
	for _, r := range s.fast {
		serving.Go(func() {
			if err := r.server.Serve(r.ln); err != nil {
				broken <- fmt.Errorf("cannot serve %s: %w", r.name, err)
			}
		})
	}
	if s.admin != nil {
		serving.Go(func() {
			if err := s.admin.Serve(s.adminLn); err != nil && !errors.Is(err, http.ErrServerClosed) {
				broken <- fmt.Errorf("cannot serve admin: %w", err)
			}
		})
	}
	watch, stop := context.WithCancel(context.Background())
	defer stop()
	for _, certs := range s.certs {
		go certs.watch(watch)
	}
	var err error
	select {
	case <-ctx.Done():
		s.draining.Store(true)
		s.config.Log.Info("draining", "delay", s.config.DrainDelay, "timeout", s.config.DrainLimit)
		time.Sleep(s.config.DrainDelay)
	case err = <-broken:
		s.draining.Store(true)
	}
	err = errors.Join(err, s.shutdown())
	serving.Wait()
	return err
}

// shutdown ends the listeners, the operators' last.
func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.DrainLimit)
	defer cancel()
	var all error
	for _, r := range s.fast {
		_ = r.ln.Close() // Shutdown does not, when Serve has yet to begin
		if r.close != nil {
			r.close()
		}
		if err := r.server.ShutdownWithContext(ctx); err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, fmt.Errorf("cannot drain %s within drain.timeout %v: %w", r.name, s.config.DrainLimit, err))
		}
	}
	if s.admin != nil {
		if err := s.admin.Shutdown(ctx); err != nil {
			all = errors.Join(all, s.admin.Close())
		}
	}
	s.handler.Load().Close()
	return all
}

func (s *Server) closeListeners() {
	for _, r := range s.fast {
		_ = r.ln.Close()
	}
	if s.adminLn != nil {
		_ = s.adminLn.Close()
	}
}
