package mqtt

import (
	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway/jobs/mqtt/packet"
)

// stats are the counters behind the metrics.
type stats struct {
	received counter // messages of clients
	sent     counter // messages to clients
	panics   counter
	refused  [256]counter // by reason code
}

// unread is an additional reason, with a code that the protocol does not use.
const unread packet.Reason = 0xff

// refuse counts a client refused or disconnected by the server.
func (s *Server) refuse(reason packet.Reason) { s.refused[reason].Add(1) }

// collector exports a Server's metrics. No label holds a device.
type collector struct {
	server                                 *Server
	connections, sessions, messages, ended *prometheus.Desc
}

// Collector returns the metrics of s.
func (s *Server) Collector() prometheus.Collector {
	return &collector{
		server:      s,
		connections: prometheus.NewDesc("jobgate_mqtt_connections", "MQTT connections, including those that have not sent CONNECT yet.", nil, nil),
		sessions:    prometheus.NewDesc("jobgate_mqtt_sessions_offline", "MQTT sessions whose device is disconnected.", nil, nil),
		messages:    prometheus.NewDesc("jobgate_mqtt_messages_total", "MQTT messages, from devices and to them.", []string{"direction"}, nil),
		ended:       prometheus.NewDesc("jobgate_mqtt_refused_total", "MQTT clients refused or disconnected, by reason.", []string{"reason"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.connections, c.sessions, c.messages, c.ended} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.server
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(c.connections, prometheus.GaugeValue, float64(open))
	ch <- prometheus.MustNewConstMetric(c.sessions, prometheus.GaugeValue, float64(s.sessions.offline.Load()))
	ch <- prometheus.MustNewConstMetric(c.messages, prometheus.CounterValue, float64(s.received.Load()), "in")
	ch <- prometheus.MustNewConstMetric(c.messages, prometheus.CounterValue, float64(s.sent.Load()), "out")
	totals := map[string]int64{}
	for code := range s.refused {
		if n := s.refused[code].Load(); n > 0 {
			totals[reasonLabel(packet.Reason(code))] += n
		}
	}
	for label, n := range totals {
		ch <- prometheus.MustNewConstMetric(c.ended, prometheus.CounterValue, float64(n), label)
	}
}

func reasonLabel(reason packet.Reason) string {
	if reason == unread {
		return "not_reading"
	}
	return reason.String()
}
