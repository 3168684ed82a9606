package check

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

// program is the path of jobgate, built from this tree.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "chart")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(folder) }()
		program = filepath.Join(folder, "jobgate")
		build := exec.Command("go", "build", "-o", program, "./cmd/jobgate")
		build.Dir = "../../../../.."
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build jobgate: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

type values = map[string]any

func load(t *testing.T, folder string) *chart.Chart {
	t.Helper()
	c, err := loader.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readValues(t *testing.T, file string) values {
	t.Helper()
	v, err := chartutil.ReadValuesFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// render returns the chart's files by name, as helm template renders them.
func render(c *chart.Chart, v values) (map[string]string, error) {
	caps := *chartutil.DefaultCapabilities
	caps.KubeVersion = chartutil.KubeVersion{Version: "v" + kubernetes, Major: "1", Minor: "34"}
	if err := chartutil.ProcessDependenciesWithMerge(c, v); err != nil {
		return nil, err
	}
	all, err := chartutil.ToRenderValues(c, v, chartutil.ReleaseOptions{Name: "jobgate", Namespace: "fleet", Revision: 1, IsInstall: true}, &caps)
	if err != nil {
		return nil, err
	}
	return engine.Engine{}.Render(c, all)
}

// object holds the fields of an object that the tests use. raw holds all fields.
type object struct {
	Kind     string
	Metadata struct{ Name string }
	Data     map[string]string
	raw      values
	text     []byte
}

// objects parses the objects of rendered files. It skips NOTES.txt.
func objects(t *testing.T, files map[string]string) []object {
	t.Helper()
	var all []object
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for part := range strings.SplitSeq(text, "\n---\n") {
			o := object{text: []byte(part)}
			if err := yaml.UnmarshalStrict(o.text, &o.raw); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, part)
			}
			if len(o.raw) == 0 {
				continue
			}
			if err := yaml.Unmarshal(o.text, &o); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, o)
		}
	}
	return all
}

// renderAndCheck renders a chart and checks all its objects.
func renderAndCheck(t *testing.T, c *chart.Chart, v values) []object {
	t.Helper()
	files, err := render(c, v)
	if err != nil {
		t.Fatal(err)
	}
	all := objects(t, files)
	for _, o := range all {
		if err := schemas(t).check(o); err != nil {
			t.Errorf("%s %s: %v\n%s", o.Kind, o.Metadata.Name, err, o.text)
		}
		if text, ok := o.Data["jobgate.yaml"]; ok {
			checkConfiguration(t, text)
		}
	}
	checkConsistency(t, all)
	return all
}

// checkConfiguration runs jobgate check on a rendered jobgate.yaml. Warnings are allowed about files that only the pod has,
// and about MQTT without authentication, which one change turns on.
func checkConfiguration(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "jobgate.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "check", "--quiet", "--config", file)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "JOBGATE_") }) // switches of tests, which are not settings
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("jobgate check: %v\n%s\n%s", err, out.String(), text)
	}
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, "cannot be read on this machine") && !strings.Contains(line, "mqtt.auth.mode: any client") {
			t.Errorf("jobgate check: %s", line)
		}
	}
}

// examples are the values files beside the chart.
var examples = []string{"gateway", "jobs-postgres", "jobs-sqlite"}

func TestExamples(t *testing.T) {
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			v := readValues(t, "../"+name+".yaml")
			all := renderAndCheck(t, load(t, "../jobgate"), v)
			if len(all) < 6 {
				t.Errorf("the chart rendered %d objects, want 6 or more", len(all))
			}
			workload(t, all, map[string]string{"jobs-sqlite": "StatefulSet"}[name])
			for _, m := range lint.AllWithKubeVersionAndSchemaValidation("../jobgate", v, "fleet", nil, false).Messages {
				if m.Severity > support.InfoSev {
					t.Errorf("lint: %v", m)
				}
			}
		})
	}
}

// workload checks that the objects include one workload, of the given kind; "" means Deployment. A StatefulSet has one pod,
// whose store is on its own volume.
func workload(t *testing.T, all []object, kind string) {
	t.Helper()
	var kinds []string
	for _, o := range all {
		switch o.Kind {
		case "StatefulSet":
			claims, _ := at(o.raw, "spec", "volumeClaimTemplates").([]any)
			if n, _ := at(o.raw, "spec", "replicas").(float64); n != 1 || len(claims) != 1 || at(claims[0], "metadata", "name") != "store" {
				t.Errorf("the StatefulSet has %v replicas and the claims %v, want 1 and store", n, claims)
			}
			fallthrough
		case "Deployment", "DaemonSet", "Pod", "ReplicaSet":
			kinds = append(kinds, o.Kind)
		}
	}
	if want := cmp.Or(kind, "Deployment"); !slices.Equal(kinds, []string{want}) {
		t.Errorf("the workload is %v, want a %s", kinds, want)
	}
}

// TestBackend renders the backend's chart with jobgate as a sidecar, as helm dependency build assembles it.
func TestBackend(t *testing.T) {
	c := load(t, "../backend")
	c.AddDependency(load(t, "../jobgate"))
	all := renderAndCheck(t, c, values{})
	kinds := map[string]int{}
	for _, o := range all {
		kinds[o.Kind]++
		if o.Kind == "Deployment" && !strings.Contains(string(o.text), "restartPolicy: Always") {
			t.Error("the backend's pod has no native sidecar")
		}
	}
	if want := map[string]int{"ConfigMap": 1, "Deployment": 1, "PodMonitor": 1}; !maps.Equal(kinds, want) {
		t.Errorf("got %v, want %v", kinds, want)
	}
}
