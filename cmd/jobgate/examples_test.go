package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"jobgate/gateway"
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
	for d := range descs {
		names = append(names, fq.FindStringSubmatch(d.String())[1])
	}
	return names
}
