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

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"jobgate/cmd/jobgate/storage"
	"jobgate/gateway"
	"jobgate/gateway/codesign"
	"jobgate/gateway/jobs/api"
	"jobgate/gateway/jobs/mqtt"
)

// exampleConfigurations are the gateway configurations under examples, by file: those files themselves, and the
// jobgate.yaml of each ConfigMap.
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
	files, err = filepath.Glob("examples/kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		for part := range strings.SplitSeq(readExample(t, f), "\n---\n") {
			var object struct {
				Kind string
				Data map[string]string
			}
			if err := yaml.Unmarshal([]byte(part), &object); err != nil {
				t.Errorf("%s: %v", f, err)
			}
			if text, ok := object.Data["jobgate.yaml"]; ok && object.Kind == "ConfigMap" {
				all[f] = text
			}
		}
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
	known := knownMetrics()
	name := regexp.MustCompile(`jobgate_[a-z_]+`)
	for _, f := range []string{"examples/kubernetes/monitoring.yaml", "examples/kubernetes/grafana-dashboard.json"} {
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
		gateway.NewMetrics("test", "test").Registry.Describe(descs)
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
	documents := readExample(t, "../../gateway/METRICS.md") + readExample(t, "../../gateway/codesign/CODESIGN.md")
	shown := readExample(t, "examples/kubernetes/monitoring.yaml") + readExample(t, "examples/kubernetes/grafana-dashboard.json")
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
	rules, text := readExample(t, "examples/kubernetes/monitoring.yaml"), readExample(t, "INCIDENTS.md")
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

// objects are the Kubernetes objects of an example.
func objects(t *testing.T, file string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for part := range strings.SplitSeq(readExample(t, file), "\n---\n") {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(part), &object); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, object)
	}
	return all
}

// TestExampleServices: no Service leads to the admin listener, which answers whoever reaches it.
func TestExampleServices(t *testing.T) {
	services := 0
	for _, f := range []string{"gateway", "jobs", "fleet", "sidecar", "monitoring"} {
		for _, o := range objects(t, "examples/kubernetes/"+f+".yaml") {
			if o["kind"] != "Service" {
				continue
			}
			services++
			for _, p := range o["spec"].(map[string]any)["ports"].([]any) {
				if port := p.(map[string]any); strings.Contains(port["targetPort"].(string), "admin") {
					t.Errorf("%s: Service port %v leads to admin", f, port["name"])
				}
			}
		}
	}
	if services < 3 {
		t.Errorf("only %d Services", services)
	}
}

// TestExampleAlerts has Prometheus's own tool read the alert rules, and try those that are easily wrong.
func TestExampleAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") != "" {
			t.Fatal(err)
		}
		t.Skip("install promtool: apt-get install prometheus")
	}
	folder := t.TempDir()
	for _, o := range objects(t, "examples/kubernetes/monitoring.yaml") {
		if o["kind"] == "PrometheusRule" {
			text, err := yaml.Marshal(o["spec"])
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, folder, "rules.yaml", string(text))
		}
	}
	tests := writeFile(t, folder, "tests.yaml", readExample(t, "testdata/alerts.yaml"))
	for _, args := range [][]string{{"check", "rules", filepath.Join(folder, "rules.yaml")}, {"test", "rules", tests}} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args[:2], err, out)
		}
	}
}
