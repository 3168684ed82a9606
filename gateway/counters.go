package gateway

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway/edge"
	"jobgate/gateway/proxy"
)

// counters are the resolved children that requests count with.
type counters struct {
	inFlight       *atomic.Int64
	shedInFlight   prometheus.Counter
	shedOverload   prometheus.Counter
	signed, reused prometheus.Counter
	longURLs       prometheus.Counter
	unfilled       [proxy.Reasons][2]prometheus.Counter // refused, passed
	logLimit       *edge.LogLimit
}

func (m *Metrics) counters() *counters {
	c := &counters{
		inFlight:     &m.requests,
		shedInFlight: m.Edge.Shed.WithLabelValues("in_flight"),
		shedOverload: m.Edge.Shed.WithLabelValues("overload"),
		signed:       m.urls.WithLabelValues("signed"),
		reused:       m.urls.WithLabelValues("reused"),
		longURLs:     m.longURLs,
		logLimit:     &m.logLimit,
	}
	for reason := range proxy.Reasons {
		for i, action := range []string{"refused", "passed"} {
			c.unfilled[reason][i] = m.unfilled.WithLabelValues(reason.String(), action)
		}
	}
	return c
}

// countUnfilled counts an answer of a fill route that could not be filled.
func (c *counters) countUnfilled(reason proxy.Reason, passed bool) {
	i := 0
	if passed {
		i = 1
	}
	c.unfilled[reason][i].Inc()
}
