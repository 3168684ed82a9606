// Package oracle compares the codec of gateway/jobs/mqtt/packet with two others: the packets of mochi-mqtt, with their
// table of cases, and those of paho.golang. It is a module of its own, so that the gateway need not depend on them.
package oracle
