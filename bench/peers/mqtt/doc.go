// Package mqtt measures what devices notice over MQTT: what jobgate answers a second and what a connection costs, beside
// mosquitto; how soon they are told of jobs.
//
//	register things ─▶ rate ─▶ plain, TLS ─▶ told ─▶ delay ─▶ gateways
//	                   Load     Hold         Hold     Hold     Hold: processes of this program on the load's core
package mqtt
