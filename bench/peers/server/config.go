// Package server configures and starts the servers under test: jobgate, nginx and mosquitto with the files in conf, and the
// bare servers.
//
//	Settings ─▶ conf/* filled in, in the run's folder ─▶ StartJobgate, StartNginx, StartBare ─▶ a process and its port
package server

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed conf
var conf embed.FS

// Settings fill in the configurations under conf.
type Settings struct {
	Folder   string // of the run: documents, pid files, certificates
	Port     int
	Admin    int
	Upstream int    // port
	Memory   string // normal | low
	TLS      bool
	Auth     string // auth.mode; "": none

	Documents string // folder of many documents; "": none

	Connections int // limit of nginx's connections, for which it allocates at its start

	MaxConnections int // limits.max_connections; 0: the default

	Crowd bool // serve crowd.json, with 100 URLs

	Store   string // of the IoT Jobs service; "": no service
	Control int    // port of its control plane
	MQTT    int    // port of its MQTT listener; 0: none

	// Not in the configuration:
	WithMQTT bool // gate.Start chooses a port for MQTT
	Unpinned bool // on all cores
	Client   bool // on the load's core, because a server behind it is measured
}

// Write fills in conf/name and writes it into the run's folder, as out. It returns its
// path.
func Write(folder, name, out string, s Settings) (string, error) {
	text, err := conf.ReadFile("conf/" + name)
	if err != nil {
		return "", fmt.Errorf("cannot read configuration %q: %w", name, err)
	}
	t, err := template.New(name).Parse(string(text))
	if err != nil {
		return "", fmt.Errorf("cannot read configuration %q: %w", name, err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, s); err != nil {
		return "", fmt.Errorf("cannot fill in configuration %q: %w", name, err)
	}
	path := filepath.Join(folder, out)
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { // readable by nginx's workers, which run as another user
		return "", fmt.Errorf("cannot write configuration: %w", err)
	}
	return path, nil
}

// CopyDocuments copies the committed documents to the run's folder.
func CopyDocuments(folder string) error {
	for _, name := range []string{"document.json", "device.json"} {
		text, err := Document(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return fmt.Errorf("cannot write document: %w", err)
		}
	}
	return nil
}

// Document returns one of the committed documents.
func Document(name string) ([]byte, error) {
	text, err := conf.ReadFile("conf/" + name)
	if err != nil {
		return nil, fmt.Errorf("cannot read document %q: %w", name, err)
	}
	return text, nil
}
