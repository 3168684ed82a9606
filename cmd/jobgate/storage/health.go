package storage

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway"
	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/jobs/operations"
)

// Health measures the jobs store and tracks whether it works. It is safe for concurrent use.
type Health struct {
	kind        string
	log         *slog.Logger
	service     *operations.Service
	check       func() error            // checks the store's file; nil: no file
	connections func() (busy, idle int) // nil: not a database
	lag         func() time.Duration    // how far the feed is behind; set with connections

	durations *prometheus.HistogramVec
	errors    *prometheus.CounterVec

	mu    sync.Mutex
	err   error // of the last call; nil: it succeeded
	since time.Time
}

var (
	descConnections = prometheus.NewDesc("jobgate_store_connections", "Connections to the jobs database, by state: busy or idle.", []string{"state"}, nil)
	descLease       = prometheus.NewDesc("jobgate_lease_held", "1 if this gateway does the background work of the jobs, else 0.", []string{"work"}, nil)
	descLag         = prometheus.NewDesc("jobgate_feed_lag_seconds", "Time since this gateway had read all changes of the gateways that share the store, or age of the oldest that an open transaction hides.", nil, nil)
)

// NewHealth returns the health of a store of a kind: sqlite or postgres.
func NewHealth(kind string, log *slog.Logger) *Health {
	return &Health{
		kind: kind, log: log,
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jobgate_store_duration_seconds", Help: "Time of one call to the jobs store, by operation and outcome.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"operation", "outcome"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgate_store_errors_total", Help: "Calls to the jobs store that failed, by kind.",
		}, []string{"kind"}),
	}
}

// Serve sets the service that uses the store. It must be called before Collect.
func (h *Health) Serve(s *operations.Service) { h.service = s }

// kindOf returns the kind of a store failure. It returns "" if err is not a failure, such as a missing row or a canceled
// caller.
func kindOf(err error) string {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, engine.ErrClosed), errors.Is(err, engine.ErrNotFound),
		errors.Is(err, engine.ErrExists), errors.Is(err, engine.ErrFenced), errors.Is(err, engine.ErrMissed):
		return ""
	case errors.Is(err, engine.ErrUnknown):
		return "unknown"
	case errors.Is(err, engine.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, engine.ErrFull):
		return "full"
	}
	return "other"
}

// observe counts a call.
func (h *Health) observe(operation string, took time.Duration, err error) {
	kind, outcome := kindOf(err), "ok"
	switch {
	case kind != "":
		outcome = "error"
		h.errors.WithLabelValues(kind).Inc()
		h.setState(err)
	case errors.Is(err, context.Canceled):
		outcome = "canceled"
	default:
		h.setState(nil)
	}
	h.durations.WithLabelValues(operation, outcome).Observe(took.Seconds())
}

// setState records whether the last call worked, and logs a change.
func (h *Health) setState(err error) {
	h.mu.Lock()
	changed := (err == nil) != (h.err == nil)
	if h.err = err; changed {
		h.since = time.Now()
	}
	h.mu.Unlock()
	switch {
	case changed && err != nil:
		h.log.Error("the jobs store fails", "error", err)
	case changed:
		h.log.Info("the jobs store works again")
	}
}

// checkFile checks the store's file, if it has one.
func (h *Health) checkFile() error {
	if h.check == nil {
		return nil
	}
	err := h.check()
	if err != nil {
		h.errors.WithLabelValues("file").Inc()
	}
	return err
}

// State returns the store's part of /readyz.
func (h *Health) State() gateway.StoreHealth {
	file := h.checkFile()
	h.mu.Lock()
	defer h.mu.Unlock()
	state := gateway.StoreHealth{Kind: h.kind, State: "ok"}
	err := h.err
	if file != nil {
		err = file
	}
	if err != nil {
		state.State, state.Error = "failing", err.Error()
		if !h.since.IsZero() && h.err != nil {
			since := h.since
			state.Since = &since
		}
	}
	return state
}

// Describe implements prometheus.Collector.
func (h *Health) Describe(ch chan<- *prometheus.Desc) {
	h.durations.Describe(ch)
	h.errors.Describe(ch)
	ch <- descConnections
	ch <- descLease
	ch <- descLag
}

// Collect implements prometheus.Collector.
func (h *Health) Collect(ch chan<- prometheus.Metric) {
	_ = h.checkFile() // counts the error
	h.durations.Collect(ch)
	h.errors.Collect(ch)
	held := 0.0
	if h.service.Driver().Leads() {
		held = 1
	}
	ch <- prometheus.MustNewConstMetric(descLease, prometheus.GaugeValue, held, "jobs")
	if h.connections == nil {
		return
	}
	busy, idle := h.connections()
	ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(busy), "busy")
	ch <- prometheus.MustNewConstMetric(descConnections, prometheus.GaugeValue, float64(idle), "idle")
	ch <- prometheus.MustNewConstMetric(descLag, prometheus.GaugeValue, max(h.service.Driver().FeedLag(), h.lag()).Seconds())
}

// measured is an engine that measures the calls that may reach the disk. Devices' reads are answered from memory and not
// measured.
type measured struct {
	engine.Engine
	health *Health
}

// Apply implements engine.Engine.
func (m *measured) Apply(ctx context.Context, changes []engine.Change) error {
	start := time.Now()
	err := m.Engine.Apply(ctx, changes)
	m.health.observe("write", time.Since(start), err)
	return err
}

// View implements engine.Engine.
func (m *measured) View(ctx context.Context, read func(engine.Reader) error) error {
	start := time.Now()
	var own error
	err := m.Engine.View(ctx, func(r engine.Reader) error { own = read(r); return own })
	m.health.observe("view", time.Since(start), engineError(err, own))
	return err
}

// Update implements engine.Engine.
func (m *measured) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	start := time.Now()
	var own error
	err := m.Engine.Update(ctx, w, func(t engine.Tx) error { own = change(t); return own })
	m.health.observe("update", time.Since(start), engineError(err, own))
	return err
}

// engineError returns err, or nil if err is an error of the caller's function rather than of the engine.
func engineError(err, own error) error {
	if own != nil && errors.Is(err, own) && kindOf(own) == "other" {
		return nil
	}
	return err
}
