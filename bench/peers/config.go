package main

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed conf
var conf embed.FS

// session is the token that all signers use: 900 bytes, as STS's are.
var session = "IQoJb3JpZ2luX2VjE" + strings.Repeat("AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/", 24)[:881] + "=="

// The credentials of all signers. They are examples and open nothing.
const (
	accessKeyID = "ASIAIOSFODNN7EXAMPLE"
	secretKey   = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	region      = "us-east-1"
	bucketName  = "firmware"
)

// awsEnvironment gives jobgate those credentials.
func awsEnvironment() []string {
	return append(os.Environ(),
		"AWS_ACCESS_KEY_ID="+accessKeyID, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_SESSION_TOKEN="+session, "AWS_REGION="+region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// settings fill in the configurations under conf.
type settings struct {
	Folder   string // of the run: documents, pid files, certificates
	Port     int
	Admin    int
	Upstream int    // port
	Memory   string // normal | low
	TLS      bool
	Auth     string // auth.mode; "": none

	Documents string // folder of many documents; "": none

	Connections int // nginx allocates for as many at its start

	Crowd bool // serve crowd.json, of 100 URLs

	Store   string // of the IoT Jobs service, which is on if this is set
	Control int    // port of its control plane

	// Not in the configuration:
	unpinned bool // on all cores
	client   bool // on the load's core: what is measured is behind it
}

// write fills in conf/name and writes it into the run's folder, as out. It returns its
// path.
func write(folder, name, out string, s settings) (string, error) {
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
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { // nginx's workers read it as another user
		return "", fmt.Errorf("cannot write configuration: %w", err)
	}
	return path, nil
}

// copyDocuments puts the committed documents into the run's folder.
func copyDocuments(folder string) error {
	for _, name := range []string{"document.json", "device.json"} {
		text, err := conf.ReadFile("conf/" + name)
		if err != nil {
			return fmt.Errorf("cannot read document %q: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			return fmt.Errorf("cannot write document: %w", err)
		}
	}
	return nil
}
