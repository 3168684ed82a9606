package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway/edge"
	"jobgate/gateway/proxy"
)

// Counters are the resolved children of the metrics that requests update.
type Counters struct {
	InFlight       *atomic.Int64
	ShedInFlight   prometheus.Counter
	ShedOverload   prometheus.Counter
	Signed, Reused prometheus.Counter
	LongURLs       prometheus.Counter
	unfilled       [proxy.Reasons][2]prometheus.Counter // refused, passed
	LogLimit       *edge.LogLimit
}

// Counters returns the resolved children.
func (m *Set) Counters() *Counters {
	c := &Counters{
		InFlight:     &m.requests,
		ShedInFlight: m.Edge.Shed.WithLabelValues("in_flight"),
		ShedOverload: m.Edge.Shed.WithLabelValues("overload"),
		Signed:       m.urls.WithLabelValues("signed"),
		Reused:       m.urls.WithLabelValues("reused"),
		LongURLs:     m.longURLs,
		LogLimit:     &m.LogLimit,
	}
	for reason := range proxy.Reasons {
		for i, action := range []string{"refused", "passed"} {
			c.unfilled[reason][i] = m.unfilled.WithLabelValues(reason.String(), action)
		}
	}
	return c
}

// CountUnfilled counts an answer of a fill route that could not be filled, and whether it was passed or refused.
func (c *Counters) CountUnfilled(reason proxy.Reason, passed bool) {
	i := 0
	if passed {
		i = 1
	}
	c.unfilled[reason][i].Inc()
}
