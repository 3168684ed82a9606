package mqtttest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Open lets everybody do everything. Shared subscriptions on $aws are granted and deliver nothing.
const Open = `
listener DEVICES
allow_anonymous true
listener GATEWAYS
allow_anonymous true
`

// Mounted has a mount point for the devices: they say $aws, gateways see dev/$aws, where shared subscriptions work.
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
	cmd    *exec.Cmd
}

// StartMosquitto runs mosquitto with a configuration, in which DEVICES and GATEWAYS are ports of two listeners. Without the program
// the test is skipped, or fails where all have to be there.
func StartMosquitto(t testing.TB, configuration string) *Mosquitto {
	t.Helper()
	m := &Mosquitto{tb: t, Devices: freeAddress(t), Gateways: freeAddress(t)}
	m.config = filepath.Join(t.TempDir(), "mosquitto.conf")
	_, devices, _ := net.SplitHostPort(m.Devices)
	_, gateways, _ := net.SplitHostPort(m.Gateways)
	text := strings.NewReplacer("DEVICES", devices+" 127.0.0.1", "GATEWAYS", gateways+" 127.0.0.1").Replace(configuration)
	if err := os.WriteFile(m.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(m.Stop)
	return m
}

// Start starts it again after Stop, at the same addresses.
func (m *Mosquitto) Start() {
	m.tb.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") != "" {
			m.tb.Fatal("there is no mosquitto on this machine: apt-get install mosquitto")
		}
		m.tb.Skip("there is no mosquitto on this machine: apt-get install mosquitto")
	}
	m.cmd = exec.Command(path, "-c", m.config)
	if err := m.cmd.Start(); err != nil {
		m.tb.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", m.Gateways)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(end) {
			m.tb.Fatal("mosquitto does not listen")
		}
	}
}

// Stop kills it.
func (m *Mosquitto) Stop() {
	_ = m.cmd.Process.Kill() // it may have ended
	_ = m.cmd.Wait()
}

func freeAddress(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
