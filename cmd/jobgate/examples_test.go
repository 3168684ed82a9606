package main

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"jobgate/cmd/jobgate/gatetest"
	"jobgate/cmd/jobgate/storage"
	"jobgate/gateway/codesign"
	"jobgate/gateway/jobs/api"
	"jobgate/gateway/jobs/mqtt"
	"jobgate/gateway/metrics"
	"jobgate/gateway/servertest"
)

// The files for Prometheus and Grafana. The Helm chart installs the same files.
const (
	alertsFile    = "examples/helm/jobgate/files/alerts.yaml"
	dashboardFile = "examples/helm/jobgate/files/dashboard.json"
)

// exampleConfigurations returns the gateway configurations in examples, by file. examples/helm/check tests those that the
// Helm chart renders.
func exampleConfigurations(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		all[f] = readExample(t, f)
	}
	return all
}

func readExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExampleMetrics checks that the alerts and the dashboard use only existing metrics.
func TestExampleMetrics(t *testing.T) {
	t.Parallel()
	known := knownMetrics()
	name := regexp.MustCompile(`jobgate_[a-z_]+`)
	for _, f := range []string{alertsFile, dashboardFile} {
		for _, metric := range name.FindAllString(readExample(t, f), -1) {
			base := metric
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !slices.Contains(known, base) {
				t.Errorf("%s: metric %s does not exist", f, metric)
			}
		}
	}
}

// knownMetrics returns the names of all metrics that a gateway registers.
func knownMetrics() []string {
	descs := make(chan *prometheus.Desc)
	go func() {
		metrics.New("test", "test").Registry.Describe(descs)
		close(descs)
	}()
	var names []string
	fq := regexp.MustCompile(`fqName: "([^"]+)"`)
	jobsDescs := make(chan *prometheus.Desc, 50)
	for _, c := range []prometheus.Collector{api.NewCollector(nil), storage.NewHealth("postgres", slog.Default()), codesign.NewMeter(), new(mqtt.Server).Collector()} {
		c.Describe(jobsDescs)
	}
	close(jobsDescs)
	for d := range jobsDescs {
		names = append(names, fq.FindStringSubmatch(d.String())[1])
	}
	for d := range descs {
		names = append(names, fq.FindStringSubmatch(d.String())[1])
	}
	return names
}

// TestMetricsDocumented checks that METRICS.md or CODESIGN.md describes each metric, and that the dashboard or an alert
// uses it.
func TestMetricsDocumented(t *testing.T) {
	t.Parallel()
	documents := readExample(t, "../../gateway/METRICS.md") + readExample(t, "../../gateway/codesign/CODESIGN.md")
	shown := readExample(t, alertsFile) + readExample(t, dashboardFile)
	unseen := []string{"jobgate_build_info", "jobgate_cache_entries", "jobgate_cache_evictions_total", "jobgate_sts_duration_seconds", "jobgate_codesign_duration_seconds", "jobgate_codesign_bytes_total"} // for ad-hoc queries
	for _, name := range knownMetrics() {
		if !strings.HasPrefix(name, "jobgate_") { // of the Go runtime
			continue
		}
		if !strings.Contains(documents, "| `"+name+"` |") {
			t.Errorf("no document describes %s", name)
		}
		if !strings.Contains(shown, name) && !slices.Contains(unseen, name) {
			t.Errorf("neither the alerts nor the dashboard use %s", name)
		}
	}
}

// TestIncidents checks that each alert has a section in INCIDENTS.md, and each section an alert.
func TestIncidents(t *testing.T) {
	t.Parallel()
	rules, text := readExample(t, alertsFile), readExample(t, "INCIDENTS.md")
	var alerts, sections []string
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(rules, -1) {
		alerts = append(alerts, m[1])
		if !strings.Contains(rules, "runbook: cmd/jobgate/INCIDENTS.md#"+strings.ToLower(m[1])+"\n") {
			t.Errorf("alert %s does not link to its section of INCIDENTS.md", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	slices.Sort(alerts)
	slices.Sort(sections)
	if !slices.Equal(alerts, sections) {
		t.Errorf("alerts %v, sections %v", alerts, sections)
	}
}

// TestExampleAlerts runs promtool on the alert rules: it checks their syntax and tests the error-prone ones.
func TestExampleAlerts(t *testing.T) {
	t.Parallel()
	promtool := servertest.Program(t, "promtool", "prometheus")
	folder := t.TempDir()
	gatetest.WriteFile(t, folder, "rules.yaml", readExample(t, alertsFile))
	tests := gatetest.WriteFile(t, folder, "tests.yaml", readExample(t, "testdata/alerts.yaml"))
	for _, args := range [][]string{{"check", "rules", filepath.Join(folder, "rules.yaml")}, {"test", "rules", tests}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args[:2], err, out)
		}
	}
}
