package config

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// MQTT says how devices use the IoT Jobs service over MQTT; used only with jobs.enabled.
type MQTT struct {
	// Address of the gateway's own MQTT listener, `:8883`; off unless set.
	Listen string `yaml:"listen"`
	// TLS of that listener.
	TLS MQTTTLS `yaml:"tls" empty:"refused"`
	// How a device proves its name there.
	Auth MQTTAuth `yaml:"auth" empty:"refused"`
	// Largest payload that a device may publish.
	MaxPayload Size `yaml:"max_payload" default:"128KiB" min:"1KiB" max:"16MiB"`
	// Maximum time that a session is kept after its connection closes.
	SessionExpiry time.Duration `yaml:"session_expiry" default:"1h" min:"0s" max:"7d"`
	// CONNECTs accepted a second; 0: as many as the processor can handle.
	ConnectRate int `yaml:"connect_rate" default:"0" min:"0" max:"1000000"`
	// The fleet's existing broker, instead of the listener or beside it.
	Broker MQTTBroker `yaml:"broker" empty:"refused"`
}

// MQTTBroker is a broker that the gateway connects to as a client.
type MQTTBroker struct {
	// Address, `mqtts://host:8883` or `mqtt://host:1883`; off unless set.
	URL string `yaml:"url"`
	// Prefix of /things/… in its topics: `dev/$aws` if devices have a mount point.
	Prefix string `yaml:"prefix" default:"$aws"`
	// Group of the shared subscription through which gateways share the requests; empty: a plain subscription, for one gateway.
	Share string `yaml:"share" default:"jobgate"`
	// The gateway's user name at the broker.
	Username string `yaml:"username"`
	// File with its password; read at each connection.
	PasswordFile string `yaml:"password_file" empty:"refused"`
	// User name of a device; a probe at start checks whether that name, without a password, can write to any thing's topics.
	ProbeUsername string `yaml:"probe_username"`
	// Authorities that sign the broker's certificate, in PEM; empty: the system's.
	CAFile string `yaml:"ca_file" empty:"refused"`
	// The gateway's own certificate for the broker, in PEM.
	CertFile string `yaml:"cert_file" empty:"refused"`
	// Its private key in PEM.
	KeyFile string `yaml:"key_file" empty:"refused"`
}

// MQTTTLS names the files of the MQTT listener. They are read again when they change.
type MQTTTLS struct {
	// Certificate chain in PEM; without it, the listener uses the files of `tls`.
	CertFile string `yaml:"cert_file" empty:"refused"`
	// Private key in PEM.
	KeyFile string `yaml:"key_file" empty:"refused"`
	// Authorities that sign the devices' certificates, in PEM.
	ClientCAFile string `yaml:"client_ca_file" empty:"refused"`
	// Revocation lists (CRLs) of those authorities, in PEM or DER.
	CRLFile string `yaml:"crl_file" empty:"refused"`
}

// MQTTAuth says how an MQTT device is identified.
type MQTTAuth struct {
	// `mtls`: the certificate names the thing. `none`: the client id does; the default on loopback, elsewhere it must be set explicitly.
	Mode string `yaml:"mode" enum:"mtls|none"`
	// With mtls: where the certificate holds the thing's name.
	ThingName string `yaml:"thing_name" default:"subject_cn" enum:"subject_cn|san_dns|san_uri"`
}

// MQTTFiles returns the files of the MQTT listener: its own, or those of `tls`.
func (c *Config) MQTTFiles() MQTTTLS {
	if t := c.MQTT.TLS; t.CertFile != "" {
		return t
	}
	files := MQTTTLS{CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, ClientCAFile: c.TLS.ClientCAFile, CRLFile: c.MQTT.TLS.CRLFile}
	if c.MQTT.TLS.ClientCAFile != "" {
		files.ClientCAFile = c.MQTT.TLS.ClientCAFile
	}
	return files
}

// mqtt checks the MQTT listener.
func (v *validator) mqtt() {
	m, files := &v.c.MQTT, v.c.MQTTFiles()
	if m.Auth.Mode == "" && m.Listen != "" && reachable(m.Listen) {
		v.fault("mqtt.auth.mode", fmt.Sprintf("is not set, and mqtt.listen %q is reachable from other machines", m.Listen), "mtls or none",
			"write none only when any client may be any device")
	}
	if (m.TLS.CertFile == "") != (m.TLS.KeyFile == "") {
		v.fault("mqtt.tls", "a certificate and its key come together", "", "set both mqtt.tls.cert_file and mqtt.tls.key_file")
	}
	v.mqttBroker()
	if m.Listen == "" {
		return
	}
	if !v.c.Jobs.Enabled {
		v.fault("mqtt.listen", fmt.Sprintf("%q has nothing to serve: jobs are off", m.Listen), "", "set jobs.enabled: true, or remove mqtt.listen")
	}
	switch m.Auth.Mode {
	case "mtls":
		if files.CertFile == "" || files.ClientCAFile == "" {
			v.fault("mqtt.auth.mode", `"mtls" needs TLS and the authorities that sign the devices' certificates`, "", "set mqtt.tls, or tls, with client_ca_file")
		}
	case "none":
		if reachable(m.Listen) {
			v.warn("mqtt.auth.mode", fmt.Sprintf("any client that reaches %s may be any device", m.Listen), "use mtls")
		}
	}
	if m.TLS.CRLFile != "" && m.Auth.Mode != "mtls" {
		v.fault("mqtt.tls.crl_file", fmt.Sprintf("%q revokes nothing: certificates are not looked at", m.TLS.CRLFile), "", "set mqtt.auth.mode: mtls")
	}
	if m.Auth.Mode == "" {
		m.Auth.Mode = "none"
	}
}

// mqttBroker checks the broker.
func (v *validator) mqttBroker() {
	b := &v.c.MQTT.Broker
	if (b.CertFile == "") != (b.KeyFile == "") {
		v.fault("mqtt.broker", "a certificate and its key come together", "", "set both mqtt.broker.cert_file and mqtt.broker.key_file")
	}
	if b.URL == "" {
		return
	}
	if !v.c.Jobs.Enabled {
		v.fault("mqtt.broker.url", fmt.Sprintf("%q has nothing to serve: jobs are off", b.URL), "", "set jobs.enabled: true, or remove mqtt.broker")
	}
	u, err := url.Parse(b.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "mqtt" && u.Scheme != "mqtts":
		v.fault("mqtt.broker.url", fmt.Sprintf("%q is not the address of a broker", b.URL), "mqtts://host:8883 or mqtt://host:1883", "")
	case u.User != nil:
		v.fault("mqtt.broker.url", "holds a password", "", "set mqtt.broker.username and mqtt.broker.password_file")
	case u.Scheme == "mqtt" && !IsLoopback(u.Host) && u.Port() != "":
		v.warn("mqtt.broker.url", fmt.Sprintf("traffic to %s is not encrypted", u.Host), "use mqtts")
	}
	if strings.ContainsAny(b.Prefix, "+#") || strings.HasSuffix(b.Prefix, "/") || b.Prefix == "" {
		v.fault("mqtt.broker.prefix", fmt.Sprintf("%q is not the beginning of a topic", b.Prefix), "a topic without wildcards and without a slash at its end", "")
	}
	if strings.ContainsAny(b.Share, "/+#") {
		v.fault("mqtt.broker.share", fmt.Sprintf("%q is not the name of a group", b.Share), "a word without /, + and #", "")
	}
}
