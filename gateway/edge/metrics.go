package edge

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge/tlsserver"
)

// Metrics are the metrics of all listeners and of their requests. It is a prometheus.Collector.
type Metrics struct {
	Shed   *prometheus.CounterVec // jobgate_requests_shed_total, by reason
	Panics prometheus.Counter     // jobgate_panics_total

	duration        *prometheus.HistogramVec
	handshakes      *prometheus.CounterVec
	shedConnections prometheus.Counter
	evicted         prometheus.Counter
	refusing        atomic.Int64 // connections being rejected

	mu        sync.Mutex
	listeners []*Listener
}

var (
	connectionsDesc = prometheus.NewDesc("jobgate_connections",
		"Open connections, by listener and state: fresh has not sent a request yet, active is being served, idle is between two requests, parked is silent and holds no goroutine.", []string{"listener", "state"}, nil)
	certificateDesc = prometheus.NewDesc("jobgate_tls_certificate_expiry_seconds",
		"Unix time at which the listener's certificate in use ends.", []string{"listener"}, nil)
)

// NewMetrics returns Metrics that are not registered yet.
func NewMetrics() *Metrics {
	m := &Metrics{
		Shed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgate_requests_shed_total", Help: "Requests and connections rejected, by reason; evicted are parked connections closed in favour of new ones.",
		}, []string{"reason"}),
		Panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobgate_panics_total", Help: "Panics caught while answering; each is a bug.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jobgate_request_duration_seconds", Help: "Time from a request's last header byte to its answer, by route and outcome.",
			// From 5 µs, a cached rendering, to 10 s, an upstream at its limit.
			Buckets:                        []float64{5e-6, 10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1, 2.5, 10},
			NativeHistogramBucketFactor:    1.1,
			NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"route", "outcome"}),
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgate_tls_handshake_errors_total", Help: "TLS handshakes that failed, by listener and reason.",
		}, []string{"listener", "reason"}),
	}
	m.shedConnections, m.evicted = m.Shed.WithLabelValues("connections"), m.Shed.WithLabelValues("evicted")
	return m
}

// watch adds l to the metrics.
func (m *Metrics) watch(l *Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners = append(m.listeners, l)
	if l.certs != nil {
		for _, reason := range tlsserver.Reasons {
			m.handshakes.WithLabelValues(l.Name, reason)
		}
	}
}

func (m *Metrics) handshakeFailed(listener, reason string) {
	m.handshakes.WithLabelValues(listener, reason).Inc()
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(descs chan<- *prometheus.Desc) {
	m.Shed.Describe(descs)
	m.Panics.Describe(descs)
	m.duration.Describe(descs)
	m.handshakes.Describe(descs)
	descs <- connectionsDesc
	descs <- certificateDesc
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	m.Shed.Collect(metrics)
	m.Panics.Collect(metrics)
	m.duration.Collect(metrics)
	m.handshakes.Collect(metrics)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.listeners {
		fresh, active := l.fresh.Load(), max(0, l.active.Load()) // a Close may be counted before the SetState that preceded it
		parked := int64(l.parked())
		idle := max(0, l.open.Load()-fresh-active-parked) // the four counts are read one after another
		for state, n := range map[string]int64{"fresh": fresh, "active": active, "idle": idle, "parked": parked} {
			metrics <- prometheus.MustNewConstMetric(connectionsDesc, prometheus.GaugeValue, float64(n), l.Name, state)
		}
		if l.certs != nil {
			metrics <- prometheus.MustNewConstMetric(certificateDesc, prometheus.GaugeValue, float64(l.certs.Expiry().Unix()), l.Name)
		}
	}
}

// outcome is the outcome of a request, the value of a label.
type outcome uint8

const (
	outcomeOK outcome = iota
	outcomeNotModified
	outcomeBadRequest
	outcomeDenied
	outcomeNotFound
	outcomeShed
	outcomeUnavailable
	outcomeBadGateway
	outcomeError
	outcomes
)

var outcomeNames = [outcomes]string{"ok", "not_modified", "bad_request", "denied", "not_found", "shed", "unavailable", "bad_gateway", "error"}

// outcomeOf returns the outcome of a status.
func outcomeOf(status int) outcome {
	switch {
	case status == 304:
		return outcomeNotModified
	case status < 400:
		return outcomeOK
	case status == 401 || status == 403:
		return outcomeDenied
	case status == 404 || status == 410:
		return outcomeNotFound
	case status == 429:
		return outcomeShed
	case status < 500:
		return outcomeBadRequest
	case status == 502 || status == 504:
		return outcomeBadGateway
	case status == 503:
		return outcomeUnavailable
	default:
		return outcomeError
	}
}

// Route counts the requests of one route in the metrics, and logs each at level debug. It is safe for
// concurrent use.
type Route struct {
	name      string
	log       *slog.Logger
	durations [outcomes]prometheus.Observer
}

// Route returns the Route with the label name, which is chosen by the operator and never names a device or a job. Call it
// when a configuration is loaded, not per request.
func (m *Metrics) Route(name string, log *slog.Logger) *Route {
	r := &Route{name: name, log: log}
	for o := range r.durations {
		r.durations[o] = m.duration.WithLabelValues(name, outcomeNames[o])
	}
	return r
}

// Name returns the label, "" for a nil Route.
func (r *Route) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// Done counts a request that began at the given time and is answered in ctx. trace is the id of its trace, for an exemplar;
// "": none.
func (r *Route) Done(ctx *fasthttp.RequestCtx, began time.Time, trace string) {
	took := time.Since(began)
	if trace == "" {
		r.Observe(ctx.Response.StatusCode(), took)
	} else if o, ok := r.durations[outcomeOf(ctx.Response.StatusCode())].(prometheus.ExemplarObserver); ok {
		o.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": trace})
	}
	if r.log != nil && r.log.Enabled(context.Background(), slog.LevelDebug) {
		r.logRequest(ctx, took, trace)
	}
}

// Observe counts a request by the HTTP status that corresponds to its answer, for servers of other protocols.
func (r *Route) Observe(status int, took time.Duration) {
	r.durations[outcomeOf(status)].Observe(took.Seconds())
}

func (r *Route) logRequest(ctx *fasthttp.RequestCtx, took time.Duration, trace string) {
	id := string(ctx.Response.Header.Peek(HeaderRequestID))
	if id == "" { // successful answers to devices have none
		id = strconv.FormatUint(ctx.ID(), 16)
	}
	attrs := []slog.Attr{
		slog.String("route", r.name), slog.Int("status", ctx.Response.StatusCode()),
		slog.Duration("duration", took), slog.String("request_id", id), slog.String("method", string(ctx.Method())),
		slog.String("path", pathOf(ctx)), slog.String("peer", ctx.RemoteAddr().String()),
	}
	if trace != "" {
		attrs = append(attrs, slog.String("trace_id", trace))
	}
	r.log.LogAttrs(context.Background(), slog.LevelDebug, "request", attrs...)
}
