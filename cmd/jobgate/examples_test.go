package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway"
	"jobgate/gateway/jobs/api"
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
	jobsDescs := make(chan *prometheus.Desc, 10)
	api.NewCollector(nil).Describe(jobsDescs)
	close(jobsDescs)
	for d := range jobsDescs {
		names = append(names, fq.FindStringSubmatch(d.String())[1])
	}
	for d := range descs {
		names = append(names, fq.FindStringSubmatch(d.String())[1])
	}
	return names
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
