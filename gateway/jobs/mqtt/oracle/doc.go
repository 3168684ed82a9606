// Package oracle holds the codec of gateway/jobs/mqtt/packet against two others: the packets of mochi-mqtt, with their
// table of cases, and those of paho.golang. It is a module of its own, so that the gateway depends on neither for it.
package oracle
