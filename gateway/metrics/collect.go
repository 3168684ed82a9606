package metrics

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/cache"
	"jobgate/presigner/role"
)

// RoleHooks returns the callbacks through which a role.Set updates the metrics.
func (m *Set) RoleHooks() role.Metrics {
	return role.Metrics{
		Request: func(name string, o role.Outcome, took time.Duration) {
			m.sts.WithLabelValues(name, string(o)).Inc()
			m.stsDuration.Observe(took.Seconds())
		},
		Clamped: func(name string) func() { return m.clamped.WithLabelValues(name).Inc },
	}
}

// Cache is the cache of templates.
type Cache interface{ Stats() cache.Stats }

// Watch adds the metrics of role sessions and of documents, the cache of templates.
func (m *Set) Watch(roles *role.Set, documents Cache) {
	m.state.roles.Store(roles)
	m.state.documents.Store(&documents)
}

// state is a collector of counts that other packages keep. It reads them at scrape time.
type state struct {
	roles     atomic.Pointer[role.Set]
	documents atomic.Pointer[Cache]
}

var (
	expiryDesc = prometheus.NewDesc("jobgate_role_session_expiry_seconds",
		"Unix time at which the role session in use ends; 0 while there is none, +Inf if it does not end.", []string{"role"}, nil)
	skewDesc = prometheus.NewDesc("jobgate_clock_skew_seconds",
		"How far AWS's clock is ahead of this machine's, as measured.", nil, nil)
	cacheRequestsDesc = prometheus.NewDesc("jobgate_cache_requests_total",
		"Template look-ups, by result.", []string{"result"}, nil)
	cacheEntriesDesc = prometheus.NewDesc("jobgate_cache_entries",
		"Templates and remembered errors in the cache.", nil, nil)
	cacheBytesDesc = prometheus.NewDesc("jobgate_cache_bytes",
		"Bytes that the cache holds, renderings included.", nil, nil)
	cacheEvictionsDesc = prometheus.NewDesc("jobgate_cache_evictions_total",
		"Templates evicted to make room for others.", nil, nil)
)

// Describe implements prometheus.Collector.
func (*state) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{expiryDesc, skewDesc, cacheRequestsDesc, cacheEntriesDesc, cacheBytesDesc, cacheEvictionsDesc} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(metrics chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	if roles := s.roles.Load(); roles != nil {
		gauge(skewDesc, roles.MeasuredSkew().Seconds())
		for _, r := range roles.Status() {
			gauge(expiryDesc, expirySeconds(r), r.Role)
		}
	}
	if documents := s.documents.Load(); documents != nil {
		c := (*documents).Stats()
		counter(cacheRequestsDesc, c.Hits, "hit")
		counter(cacheRequestsDesc, c.Stale, "stale")
		counter(cacheRequestsDesc, c.Negative, "negative")
		counter(cacheRequestsDesc, c.Misses, "miss")
		counter(cacheEvictionsDesc, c.Evictions)
		gauge(cacheEntriesDesc, float64(c.Entries))
		gauge(cacheBytesDesc, float64(c.Bytes))
	}
}

func expirySeconds(s role.Status) float64 {
	switch {
	case !s.Usable:
		return 0
	case s.Expires.IsZero():
		return math.Inf(1)
	default:
		return float64(s.Expires.Unix())
	}
}
