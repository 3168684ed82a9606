package mqtttest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jobgate/gateway/servertest"
)

// Open allows every client everything. Shared subscriptions on $aws are granted but deliver nothing.
const Open = `
listener DEVICES
allow_anonymous true
listener GATEWAYS
allow_anonymous true
`

// Mounted has a mount point for the devices: they use $aws, and gateways see dev/$aws, where shared subscriptions work.
const Mounted = `
per_listener_settings true
listener DEVICES
mount_point dev/
allow_anonymous true
listener GATEWAYS
allow_anonymous true
`

// Mosquitto is Debian's, with a listener for devices and one for gateways.
type Mosquitto struct {
	Devices, Gateways string // addresses

	tb     testing.TB
	config string
	stop   func()
}

// StartMosquitto runs mosquitto with a configuration, in which DEVICES and GATEWAYS are the ports of two listeners. If the
// program is not installed, the test is skipped, or fails if servers are required.
func StartMosquitto(t testing.TB, configuration string) *Mosquitto {
	t.Helper()
	m := &Mosquitto{tb: t, Devices: servertest.FreeAddress(t), Gateways: servertest.FreeAddress(t)}
	m.config = filepath.Join(t.TempDir(), "mosquitto.conf")
	_, devices, _ := net.SplitHostPort(m.Devices)
	_, gateways, _ := net.SplitHostPort(m.Gateways)
	text := strings.NewReplacer("DEVICES", devices+" 127.0.0.1", "GATEWAYS", gateways+" 127.0.0.1").Replace(configuration)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Start()
	return m
}

// Start starts it again after Stop, at the same addresses.
func (m *Mosquitto) Start() {
	m.tb.Helper()
	m.stop = servertest.Start(m.tb, m.Gateways, exec.Command(servertest.Program(m.tb, "mosquitto", "mosquitto"), "-c", m.config))
}

// Stop kills it.
func (m *Mosquitto) Stop() { m.stop() }
