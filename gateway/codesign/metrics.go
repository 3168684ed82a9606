package codesign

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Meter holds the Signers' Prometheus metrics. It is a prometheus.Collector, and safe
// for concurrent use.
type Meter struct {
	signatures *prometheus.CounterVec
	outcomes   [3]prometheus.Counter // by Outcome
	duration   prometheus.Histogram
	bytes      prometheus.Counter
}

// NewMeter returns a Meter at zero.
func NewMeter() *Meter {
	m := &Meter{
		signatures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobgate_codesign_signatures_total",
			Help: "Requested signatures of code files: made, reused (kept from before) or failed.",
		}, []string{"outcome"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "jobgate_codesign_duration_seconds",
			Help:    "Time to read and hash a code file.",
			Buckets: []float64{.01, .03, .1, .3, 1, 3, 10, 30, 100, 300},
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "jobgate_codesign_bytes_total",
			Help: "Bytes of code files that were read and hashed.",
		}),
	}
	for o := range m.outcomes {
		m.outcomes[o] = m.signatures.WithLabelValues(Outcome(o).String())
	}
	return m
}

// Metrics returns the functions that update m.
func (m *Meter) Metrics() Metrics {
	return Metrics{
		Signature: func(o Outcome) { m.outcomes[o].Inc() },
		Read: func(bytes int64, took time.Duration) {
			m.bytes.Add(float64(bytes))
			m.duration.Observe(took.Seconds())
		},
	}
}

// Describe implements prometheus.Collector.
func (m *Meter) Describe(descs chan<- *prometheus.Desc) {
	m.signatures.Describe(descs)
	m.duration.Describe(descs)
	m.bytes.Describe(descs)
}

// Collect implements prometheus.Collector.
func (m *Meter) Collect(metrics chan<- prometheus.Metric) {
	m.signatures.Collect(metrics)
	m.duration.Collect(metrics)
	m.bytes.Collect(metrics)
}
