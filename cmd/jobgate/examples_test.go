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

// What Prometheus and Grafana read; the Helm chart hands out the same files.
const (
	alertsFile    = "examples/helm/jobgate/files/alerts.yaml"
	dashboardFile = "examples/helm/jobgate/files/dashboard.json"
)

// exampleConfigurations are the gateway configurations under examples, by file: those files themselves. What
// the Helm chart makes is checked in examples/helm/check.
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

// TestExampleMetrics proves that alerts and dashboard ask for metrics that there are.
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
				t.Errorf("%s: there is no metric %s", f, metric)
			}
		}
	}
}

// knownMetrics are the names of all metrics that a gateway registers.
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

// TestMetricsDocumented proves that METRICS.md or CODESIGN.md says what each metric means, and that the dashboard shows it
// or an alert asks for it.
func TestMetricsDocumented(t *testing.T) {
	t.Parallel()
	documents := readExample(t, "../../gateway/METRICS.md") + readExample(t, "../../gateway/codesign/CODESIGN.md")
	shown := readExample(t, alertsFile) + readExample(t, dashboardFile)
	unseen := []string{"jobgate_build_info", "jobgate_cache_entries", "jobgate_cache_evictions_total", "jobgate_sts_duration_seconds", "jobgate_codesign_duration_seconds", "jobgate_codesign_bytes_total"} // to look up by hand
	for _, name := range knownMetrics() {
		if !strings.HasPrefix(name, "jobgate_") { // Go's own
			continue
		}
		if !strings.Contains(documents, "| `"+name+"` |") {
			t.Errorf("no document says what %s means", name)
		}
		if !strings.Contains(shown, name) && !slices.Contains(unseen, name) {
			t.Errorf("neither alerts nor dashboard show %s", name)
		}
	}
}

// TestIncidents: each alert has a paragraph that says what to do, and each paragraph an alert.
func TestIncidents(t *testing.T) {
	t.Parallel()
	rules, text := readExample(t, alertsFile), readExample(t, "INCIDENTS.md")
	var alerts, paragraphs []string
	for _, m := range regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(rules, -1) {
		alerts = append(alerts, m[1])
		if !strings.Contains(rules, "runbook: cmd/jobgate/INCIDENTS.md#"+strings.ToLower(m[1])+"\n") {
			t.Errorf("%s does not name its paragraph", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(text, -1) {
		paragraphs = append(paragraphs, m[1])
	}
	slices.Sort(alerts)
	slices.Sort(paragraphs)
	if !slices.Equal(alerts, paragraphs) {
		t.Errorf("alerts %v, paragraphs %v", alerts, paragraphs)
	}
}

// TestExampleAlerts has Prometheus's own tool read the alert rules, and try those that are easily wrong.
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
