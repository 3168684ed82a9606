// Package mqtt measures MQTT: jobgate's requests a second and memory per connection, compared with mosquitto, and how
// soon devices are notified of jobs.
//
//	register things ─▶ rate ─▶ plain, TLS ─▶ told ─▶ delay ─▶ gateways
//	                   Load     Hold         Hold     Hold     Hold: processes of this program on the load's core
package mqtt
