package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"jobgate/cmd/jobgate/config"
	"jobgate/gateway"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/jobs/mqtt/dispatch"
)

// mqttService is the IoT Jobs service for devices that speak MQTT.
type mqttService struct {
	server      *mqtt.Server
	authorities *mqtt.Authorities // nil: certificates are not looked at
	stop        context.CancelFunc
}

// openMQTT makes the server that mqtt.listen asks for.
func openMQTT(c *config.Config, j *jobsService, m *gateway.Metrics, log *slog.Logger) (*mqttService, error) {
	s := &mqttService{stop: func() {}}
	o := mqtt.Config{
		Service: j.service, Documents: j.data, MaxPayload: int(c.MQTT.MaxPayload), SessionExpiry: c.MQTT.SessionExpiry,
		ConnectRate: c.MQTT.ConnectRate, ReadTimeout: c.Limits.ReadTimeout, WriteTimeout: c.Limits.ReadTimeout, Log: log,
	}
	route := m.Edge.Route("mqtt", log)
	o.Request = func(code dispatch.Code, took time.Duration) { route.Observe(codeStatus[code], took) }
	if c.MQTT.Auth.Mode == "mtls" {
		files, name := c.MQTTFiles(), certificateName(c.MQTT.Auth.ThingName)
		var err error
		s.authorities, err = mqtt.LoadAuthorities(mqtt.AuthoritiesOptions{
			CAFile: files.ClientCAFile, CRLFile: files.CRLFile, Name: name.Of, Log: log,
		})
		if err != nil {
			return nil, err
		}
		o.Identify = s.authorities.Identify
	}
	var err error
	if s.server, err = mqtt.New(o); err != nil {
		return nil, err
	}
	return s, m.Registry.Register(s.server.Collector())
}

// codeStatus says which outcome a request counts under that was rejected with a code.
var codeStatus = [dispatch.Codes]int{
	dispatch.Accepted: http.StatusOK, dispatch.InvalidTopic: http.StatusNotFound, dispatch.InvalidJSON: http.StatusBadRequest,
	dispatch.InvalidRequest: http.StatusBadRequest, dispatch.InvalidStateTransition: http.StatusConflict,
	dispatch.ResourceNotFound: http.StatusNotFound, dispatch.VersionMismatch: http.StatusConflict,
	dispatch.InternalError: http.StatusServiceUnavailable, dispatch.RequestThrottled: http.StatusServiceUnavailable,
	dispatch.TerminalStateReached: http.StatusGone,
}

// start watches the files that say whose certificates are valid.
func (s *mqttService) start() {
	if s.authorities == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.authorities.Watch(ctx, s.server)
}

// close ends the server and every connection that is left.
func (s *mqttService) close() {
	s.stop()
	s.server.Close()
}

// mqttProtocols are what AWS's clients ask for with ALPN, and what IANA has registered.
var mqttProtocols = []string{"x-amzn-mqtt-ca", "mqtt"}

// listener is the server's listener.
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
