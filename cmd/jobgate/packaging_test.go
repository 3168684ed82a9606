package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestUnit: systemd passes private files to the service as credentials, exactly those that INSTALL.md lists. No secret is
// in its environment or on its command line.
func TestUnit(t *testing.T) {
	t.Parallel()
	settings := map[string][]string{}
	for line := range strings.Lines(readExample(t, "packaging/jobgate.service")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			settings[name] = append(settings[name], value)
		}
	}
	var documented []string
	name := regexp.MustCompile("`(jobgate\\.[a-z.-]+)`")
	for line := range strings.Lines(readExample(t, "INSTALL.md")) {
		if cells := strings.Split(line, "|"); len(cells) == 4 {
			for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
				documented = append(documented, m[1])
			}
		}
	}
	if credentials := settings["LoadCredential"]; !slices.Equal(credentials, documented) {
		t.Errorf("the unit loads %q, INSTALL.md lists %q", credentials, documented)
	}
	for _, want := range []string{
		"jobgate.tls.crt", "jobgate.tls.key", "jobgate.control.crt", "jobgate.control.key", "jobgate.mqtt.crt", "jobgate.mqtt.key",
		"jobgate.keys.yaml", "jobgate.database-password", "jobgate.sidecar-token", "jobgate.aws-credentials",
	} {
		if !slices.Contains(settings["LoadCredential"], want) {
			t.Errorf("%s is not a credential", want)
		}
	}
	for name, want := range map[string]string{
		"User": "jobgate", "Group": "jobgate", "Environment": "AWS_SHARED_CREDENTIALS_FILE=%d/jobgate.aws-credentials",
		"ExecStart": "/usr/bin/jobgate serve --config /etc/jobgate/jobgate.yaml", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "CapabilityBoundingSet": "",
	} {
		if got := settings[name]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	secret := regexp.MustCompile(`(?i)(secret|password|token|access_key)[a-z_]*=`)
	for line := range strings.Lines(readExample(t, "packaging/environment")) {
		if !strings.HasPrefix(line, "#") && secret.MatchString(line) {
			t.Errorf("the environment file contains a secret: %s", line)
		}
	}
}
