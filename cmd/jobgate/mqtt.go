package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"jobgate/cmd/jobgate/config"
	"jobgate/cmd/jobgate/configured"
	"jobgate/gateway"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/mqtt/broker"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/localfile"
	"jobgate/gateway/metrics"
	"jobgate/gateway/tracing"
)

// mqttService is the IoT Jobs service for devices that speak MQTT.
type mqttService struct {
	server      *mqtt.Server      // nil: off
	broker      *broker.Client    // nil: off
	authorities *mqtt.Authorities // nil: certificates are not checked
	tracer      *tracing.Tracer   // nil: requests have no spans
	stop        context.CancelFunc
}

// openMQTT creates the server of mqtt.listen and the client of mqtt.broker.
func openMQTT(c *config.Config, j *jobsService, m *metrics.Set, t *tracing.Tracer, log *slog.Logger) (_ *mqttService, err error) {
	s := &mqttService{tracer: t, stop: func() {}}
	route := m.Edge.Route("mqtt", log)
	request := func(code dispatch.Code, took time.Duration) { route.Observe(codeStatus[code], took) }
	if c.MQTT.Listen != "" {
		if err = s.openServer(c, j, request, log); err != nil {
			return nil, err
		}
		if err = m.Registry.Register(s.server.Collector()); err != nil {
			s.close()
			return nil, err
		}
	}
	if c.MQTT.Broker.URL != "" {
		if err = s.openBroker(&c.MQTT.Broker, j, request, log); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

// openServer creates the gateway's own MQTT server.
func (s *mqttService) openServer(c *config.Config, j *jobsService, request func(dispatch.Code, time.Duration), log *slog.Logger) (err error) {
	o := mqtt.Config{
		Service: j.service, Documents: j.data, MaxPayload: int(c.MQTT.MaxPayload), SessionExpiry: c.MQTT.SessionExpiry,
		ConnectRate: c.MQTT.ConnectRate, ReadTimeout: c.Limits.ReadTimeout, WriteTimeout: c.Limits.ReadTimeout,
		Request: request, Tracer: s.tracer, Log: log,
	}
	if c.MQTT.Auth.Mode == "mtls" {
		files, name := c.MQTTFiles(), configured.CertificateName(c.MQTT.Auth.ThingName)
		s.authorities, err = mqtt.LoadAuthorities(mqtt.AuthoritiesOptions{
			CAFile: files.ClientCAFile, CRLFile: files.CRLFile, Name: name.Of, Log: log,
		})
		if err != nil {
			return err
		}
		o.Identify = s.authorities.Identify
	}
	s.server, err = mqtt.New(o)
	return err
}

// openBroker creates the client of the fleet's broker.
func (s *mqttService) openBroker(c *config.MQTTBroker, j *jobsService, request func(dispatch.Code, time.Duration), log *slog.Logger) (err error) {
	driver, shared := j.service.Driver(), j.store.Shared()
	o := broker.Config{
		Service: j.service, Documents: j.data, URL: c.URL, Prefix: c.Prefix, Share: c.Share, Username: c.Username, ProbeUsername: c.ProbeUsername,
		TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Request: request, Tracer: s.tracer, Log: log,
		Notifies: func() bool { return !shared || driver.Leads() }, // a single process notifies even while its driver is stopped
		Place:    j.store.Place("mqtt.broker"), Followed: driver.Followed,
	}
	if c.PasswordFile != "" {
		o.Password = func() ([]byte, error) {
			text, _, err := localfile.Read(c.PasswordFile, localfile.Limit)
			return bytes.TrimRight(text, "\r\n"), err
		}
		if _, err := o.Password(); err != nil {
			return fmt.Errorf("cannot read mqtt.broker.password_file: %w", err)
		}
	}
	if c.CAFile != "" {
		pem, _, err := localfile.Read(c.CAFile, localfile.Limit)
		if err != nil {
			return fmt.Errorf("cannot read mqtt.broker.ca_file: %w", err)
		}
		o.TLS.RootCAs = x509.NewCertPool()
		if !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("cannot use mqtt.broker.ca_file %q: it holds no certificate in PEM", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := localfile.KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return fmt.Errorf("cannot load the certificate of mqtt.broker.cert_file %q: %w", c.CertFile, err)
		}
		o.TLS.Certificates = []tls.Certificate{pair}
	}
	s.broker, err = broker.New(o)
	return err
}

// codeStatus maps the code of a rejected request to the status it is counted under.
var codeStatus = [dispatch.Codes]int{
	dispatch.Accepted: http.StatusOK, dispatch.InvalidTopic: http.StatusNotFound, dispatch.InvalidJSON: http.StatusBadRequest,
	dispatch.InvalidRequest: http.StatusBadRequest, dispatch.InvalidStateTransition: http.StatusConflict,
	dispatch.ResourceNotFound: http.StatusNotFound, dispatch.VersionMismatch: http.StatusConflict,
	dispatch.InternalError: http.StatusServiceUnavailable, dispatch.RequestThrottled: http.StatusServiceUnavailable,
	dispatch.TerminalStateReached: http.StatusGone,
}

// start watches the files of authorities and revoked certificates.
func (s *mqttService) start() {
	if s.authorities == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.authorities.Watch(ctx, s.server)
}

// close stops the client and the server, and closes all connections.
func (s *mqttService) close() {
	s.stop()
	if s.broker != nil {
		s.broker.Close()
	}
	if s.server != nil {
		s.server.Close()
	}
}

// mqttProtocols are the ALPN names: the one AWS's clients ask for, and the one registered with IANA.
var mqttProtocols = []string{"x-amzn-mqtt-ca", "mqtt"}

// listener returns the MQTT server's listener.
func (s *mqttService) listener(c *config.Config) gateway.Service {
	l := gateway.Service{Name: "mqtt", Address: c.MQTT.Listen, MaxConnections: c.Limits.MaxConnections, Server: s.server}
	if files := c.MQTTFiles(); files.CertFile != "" {
		l.TLS = &gateway.TLS{
			Setting: "mqtt.tls", CertFile: files.CertFile, KeyFile: files.KeyFile, NextProtos: mqttProtocols,
			ClientCAFile: files.ClientCAFile, RequireClientCert: c.MQTT.Auth.Mode == "mtls",
		}
	}
	return l
}
