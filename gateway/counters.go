package gateway

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
	logLimit         *logLimit
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

// logLimit lets a few lines through a second: a fleet that meets the same fault a
// hundred thousand times says it once, and the metrics say how often.
type logLimit struct {
	second atomic.Int64
	lines  atomic.Int64
}

const logLinesPerSecond = 10

// allow reports whether one more line may be logged in the second of now.
func (l *logLimit) allow(now time.Time) bool {
	second := now.Unix()
	if last := l.second.Load(); last != second && l.second.CompareAndSwap(last, second) {
		l.lines.Store(0)
	}
	return l.lines.Add(1) <= logLinesPerSecond
}
