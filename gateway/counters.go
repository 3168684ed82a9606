package gateway

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway/edge"
)

// counters are the resolved children that requests count with.
type counters struct {
	inFlight         *atomic.Int64
	shedInFlight     prometheus.Counter
	shedConnections  prometheus.Counter
	signed, reused   prometheus.Counter
	longURLs         prometheus.Counter
	panics           prometheus.Counter
	unfilledTooLarge prometheus.Counter
	unfilledEncoding prometheus.Counter
	logLimit         *edge.LogLimit
}

func (m *Metrics) counters() *counters {
	return &counters{
		inFlight:         &m.requests,
		shedInFlight:     m.shed.WithLabelValues("in_flight"),
		shedConnections:  m.shed.WithLabelValues("connections"),
		signed:           m.urls.WithLabelValues("signed"),
		reused:           m.urls.WithLabelValues("reused"),
		longURLs:         m.longURLs,
		panics:           m.panics,
		unfilledTooLarge: m.unfilled.WithLabelValues("too_large"),
		unfilledEncoding: m.unfilled.WithLabelValues("content_encoding"),
		logLimit:         &m.logLimit,
	}
}
