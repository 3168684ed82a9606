// Package metrics holds the gateway's Prometheus metrics. METRICS.md in the parent folder documents each.
//
//	New ──▶ Set ──▶ Counters, Loads: children for requests, resolved once per configuration
//	          └───▶ Watch: counts of roles and the cache, read at scrape time
package metrics

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"jobgate/gateway/edge"
)

// LoadOutcome is how a load from a source ended: the label "outcome".
type LoadOutcome uint8

// How a load ended.
const (
	LoadOK LoadOutcome = iota
	LoadNotModified
	LoadNotFound
	LoadFailed
	loadOutcomes
)

var loadOutcomeNames = [loadOutcomes]string{"ok", "not_modified", "not_found", "error"}

// Set is the gateway's Prometheus metrics. It is kept across reloads. Children are
// resolved when a configuration is loaded, never per request; no label holds a
// device, a job or a key.
type Set struct {
	Registry *prometheus.Registry
	Edge     *edge.Metrics // of the listeners and of requests

	source      *prometheus.HistogramVec
	urls        *prometheus.CounterVec
	longURLs    prometheus.Counter
	clamped     *prometheus.CounterVec
	sts         *prometheus.CounterVec
	stsDuration prometheus.Histogram
	reloaded    prometheus.Gauge
	unfilled    *prometheus.CounterVec

	requests atomic.Int64  // in flight
	LogLimit edge.LogLimit // limits log lines about requests
	state    state
}

// New registers the gateway's metrics and Go's in a new registry. version and revision
// are labels of jobgate_build_info.
func New(version, revision string) *Set {
	slow := prometheus.HistogramOpts{
		Buckets: prometheus.DefBuckets, NativeHistogramBucketFactor: 1.1,
		NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}
	named := func(o prometheus.HistogramOpts, name, help string) prometheus.HistogramOpts {
		o.Name, o.Help = name, help
		return o
	}
	counter := func(name, help string) prometheus.CounterOpts { return prometheus.CounterOpts{Name: name, Help: help} }
	gauge := func(name, help string) prometheus.GaugeOpts { return prometheus.GaugeOpts{Name: name, Help: help} }
	m := &Set{
		Registry:    prometheus.NewRegistry(),
		Edge:        edge.NewMetrics(),
		source:      prometheus.NewHistogramVec(named(slow, "jobgate_source_duration_seconds", "Time of one load from a source, by kind of source and outcome."), []string{"source", "outcome"}),
		urls:        prometheus.NewCounterVec(counter("jobgate_presigned_urls_total", "URLs handed out, by mode: signed for this answer, or reused within a quantum."), []string{"mode"}),
		longURLs:    prometheus.NewCounter(counter("jobgate_presigned_urls_too_long_total", "URLs signed that are longer than presign.max_url_bytes.")),
		clamped:     prometheus.NewCounterVec(counter("jobgate_presign_clamped_total", "URLs whose lifetime was cut because their role session ends before."), []string{"role"}),
		sts:         prometheus.NewCounterVec(counter("jobgate_sts_requests_total", "Requests for role sessions, by role and outcome."), []string{"role", "outcome"}),
		stsDuration: prometheus.NewHistogram(named(slow, "jobgate_sts_duration_seconds", "Time of one request for a role session.")),
		reloaded:    prometheus.NewGauge(gauge("jobgate_config_last_reload_successful", "1 if the last attempt to load the configuration worked, else 0.")),
		unfilled:    prometheus.NewCounterVec(counter("jobgate_fill_skipped_total", "Answers of a fill route that could not be filled, by reason and by what became of them: refused with 502, or passed (unfilled: pass)."), []string{"reason", "action"}),
	}
	inFlight := prometheus.NewGaugeFunc(gauge("jobgate_requests_in_flight", "Requests that are being answered."),
		func() float64 { return float64(m.requests.Load()) })
	build := prometheus.NewGaugeVec(gauge("jobgate_build_info", "Always 1; the labels name the running version."), []string{"version", "revision", "goversion"})
	build.WithLabelValues(version, revision, runtime.Version()).Set(1)
	m.Registry.MustRegister(build, m.Edge, inFlight, m.source, m.urls, m.longURLs, m.clamped,
		m.sts, m.stsDuration, m.reloaded, m.unfilled, &m.state,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// ReloadResult records whether the last attempt to load the configuration worked.
func (m *Set) ReloadResult(ok bool) {
	if ok {
		m.reloaded.Set(1)
	} else {
		m.reloaded.Set(0)
	}
}

// CountURLs returns a function that counts the URLs in job documents: signed for
// this answer or reused within a quantum. tooLong is whether a signed URL is longer than
// presign.max_url_bytes. The function is safe for concurrent use.
func (m *Set) CountURLs() func(signed, reused int, tooLong bool) {
	c := m.Counters()
	return func(signed, reused int, tooLong bool) {
		c.Signed.Add(float64(signed))
		c.Reused.Add(float64(reused))
		if tooLong {
			c.LongURLs.Inc()
		}
	}
}

// Loads are the resolved children of one kind of source.
type Loads [loadOutcomes]prometheus.Observer

// Loads returns the children of a kind of source: file, s3 or http.
func (m *Set) Loads(kind string) *Loads {
	var l Loads
	for o := range l {
		l[o] = m.source.WithLabelValues(kind, loadOutcomeNames[o])
	}
	return &l
}
