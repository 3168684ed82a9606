package config

import (
	"strings"
	"testing"
)

func TestMQTT(t *testing.T) {
	load := func(text string) (*Loaded, error) {
		return Load(Options{Path: "x.yaml", Source: []byte("listen: 127.0.0.1:8080\njobs: {enabled: true}\n" + text)})
	}
	loaded, err := load("tls: {cert_file: /c, key_file: /k, client_ca_file: /a}\nmqtt: {listen: \":8883\", auth: {mode: mtls}, tls: {crl_file: /r}}")
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.MQTTFiles(); got != (MQTTTLS{"/c", "/k", "/a", "/r"}) {
		t.Errorf("the files are %+v, want those of tls with mqtt.tls.crl_file", got)
	}
	if loaded, err = load("mqtt: {listen: 127.0.0.1:1883}"); err != nil || loaded.MQTT.Auth.Mode != "none" {
		t.Errorf("the default mode on loopback: %v, %v, want none", loaded, err)
	}
	f := func(text, want string) {
		t.Helper()
		loaded, err := load(text)
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = loaded.Warnings.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, got, want)
		}
	}
	f(`mqtt: {listen: ":1883"}`, "mqtt.auth.mode: is not set")
	f(`mqtt: {listen: ":1883", auth: {mode: none}}`, "may be any device")
	f(`mqtt: {listen: "127.0.0.1:8080"}`, `is the address of listen`)
	f(`mqtt: {listen: ":1883", auth: {mode: mtls}}`, `"mtls" needs TLS`)
	f(`mqtt: {listen: ":1883", auth: {mode: sigv4}}`, "mqtt.auth.mode")
	f(`mqtt: {listen: "127.0.0.1:1883", tls: {cert_file: /c}}`, "come together")
	f(`mqtt: {listen: "127.0.0.1:1883", tls: {crl_file: /r}}`, "revokes nothing")
	f(`mqtt: {listen: "127.0.0.1:1883", max_payload: 1}`, "mqtt.max_payload")
	f(`mqtt: {broker: {url: "http://x"}}`, "is not the address of a broker")
	f(`mqtt: {broker: {url: "mqtts://u:p@x:8883"}}`, "holds a password")
	f(`mqtt: {broker: {url: "mqtts://x:8883", prefix: "a/+"}}`, "is not the beginning of a topic")
	f(`mqtt: {broker: {url: "mqtts://x:8883", share: "a/b"}}`, "is not the name of a group")
	f(`mqtt: {broker: {url: "mqtt://10.0.0.1:1883"}}`, "is not encrypted")
	_, err = Load(Options{Path: "x.yaml", Source: []byte("sidecar: 127.0.0.1:8081\nmqtt: {listen: \"127.0.0.1:1883\"}")})
	if err == nil || !strings.Contains(err.Error(), "jobs are off") {
		t.Errorf("mqtt.listen without jobs: %v", err)
	}
}
