package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/tracing"
)

// Service is the IoT Jobs service as devices need it; *jobs.Service has it.
type Service interface {
	dispatch.Service
	Events() *jobs.Events
}

// Config is what a Server needs.
type Config struct {
	Service   Service            // required
	Documents dispatch.Documents // required

	// Identify says which thing a device is that has shown a certificate, by the chains that the handshake has verified: one
	// at least, each from the device's own certificate to an authority's. nil: the client id names the thing, and everybody
	// is believed.
	Identify func(chains [][]*x509.Certificate) (thing string, err error)

	MaxPayload     int           // of what devices publish, in bytes; 0: 128 KiB
	SessionExpiry  time.Duration // longest that a session outlives its connection; 0: not at all
	ConnectRate    int           // CONNECTs a second that are let in; 0: no bound
	MaxConnections int           // at once, those that have not sent CONNECT included; 0: no bound
	ReadTimeout    time.Duration // for the handshake and CONNECT, and for the rest of a packet that has begun; 0: 10 s
	WriteTimeout   time.Duration // for a client that does not read; 0: 10 s

	// Request is told of every request that was answered, for metrics; nil: nobody is.
	Request func(code dispatch.Code, took time.Duration)
	Tracer  *tracing.Tracer // nil: requests have no spans
	Log     *slog.Logger    // nil: discards
}

// What AWS allows, and so does the gateway.
const (
	defaultMaxPayload = 128 << 10
	maxKeepAlive      = 1200 // seconds; also that of a client that asks for none
	maxSubscriptions  = 50   // of a session
	maxInflight       = 100  // messages that a client has not acknowledged
	maxSessions       = 20   // of a thing, its connections included
	maxOffline        = 1 << 20
	packetOverhead    = 4 << 10 // of a packet beyond its payload: topic, properties, header
)

func (c *Config) setDefaults() error {
	if c.Service == nil || c.Documents == nil {
		return errors.New("cannot serve MQTT: no jobs service, or no document renderer")
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = defaultMaxPayload
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 10 * time.Second
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 10 * time.Second
	}
	if c.Request == nil {
		c.Request = func(dispatch.Code, time.Duration) {}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// secured is a connection with TLS, crypto/tls's or one around it.
type secured interface {
	Handshake() error
	ConnectionState() tls.ConnectionState
}
