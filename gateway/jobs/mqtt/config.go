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

// Service is the part of the IoT Jobs service that devices need; operations.Service implements it.
type Service interface {
	dispatch.Service
	Events() *jobs.Events
}

// Config configures a Server.
type Config struct {
	Service   Service            // required
	Documents dispatch.Documents // required

	// Identify returns the thing of a device's certificate. chains are those verified in the handshake: at least one, each from
	// the device's certificate to an authority's. nil: the client id names the thing, without any check.
	Identify func(chains [][]*x509.Certificate) (thing string, err error)

	MaxPayload     int           // of what devices publish, in bytes; 0: 128 KiB
	SessionExpiry  time.Duration // longest life of a session after its connection; 0: none
	ConnectRate    int           // CONNECTs accepted a second; 0: no bound
	MaxConnections int           // at once, including those that have not sent CONNECT; 0: no bound
	ReadTimeout    time.Duration // for the handshake and CONNECT, and for the rest of a started packet; 0: 10 s
	WriteTimeout   time.Duration // for a client that does not read; 0: 10 s

	// Request is called after every answered request, for metrics; may be nil.
	Request func(code dispatch.Code, took time.Duration)
	Tracer  *tracing.Tracer // nil: requests have no spans
	Log     *slog.Logger    // nil: discards
}

// AWS's limits.
const (
	defaultMaxPayload = 128 << 10
	maxKeepAlive      = 1200 // seconds; also the default
	maxSubscriptions  = 50   // of a session
	maxInflight       = 100  // messages that a client has not acknowledged
	maxSessions       = 20   // of a thing, its connections included
	maxOffline        = 1 << 20
	packetOverhead    = 4 << 10 // of a packet besides its payload: topic, properties, header
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
