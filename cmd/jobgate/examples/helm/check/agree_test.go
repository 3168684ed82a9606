package check

import (
	"fmt"
	"strings"
	"testing"
)

// agree proves what no schema says: Services and policies name ports that the pod has, none leads to the admin port, selectors
// select the pod, and the pod is locked down.
func agree(t *testing.T, all []object) {
	t.Helper()
	ports, podLabels := map[string]bool{}, values{}
	for _, o := range all {
		if o.Kind != "Deployment" && o.Kind != "StatefulSet" {
			continue
		}
		template := at(o.raw, "spec", "template").(values)
		podLabels = at(template, "metadata", "labels").(values)
		selects(t, o, podLabels, at(o.raw, "spec", "selector", "matchLabels"))
		for _, list := range []string{"initContainers", "containers"} {
			containers, _ := at(template, "spec", list).([]any)
			for _, c := range containers {
				container := c.(values)
				named, _ := container["ports"].([]any)
				for _, p := range named {
					ports[p.(values)["name"].(string)] = true
				}
				if container["name"] == "jobgate" {
					locked(t, container)
					patient(t, container)
				}
			}
		}
	}
	for _, o := range all {
		switch o.Kind {
		case "Service":
			selects(t, o, podLabels, at(o.raw, "spec", "selector"))
			for _, p := range at(o.raw, "spec", "ports").([]any) {
				target := p.(values)["targetPort"]
				if name, _ := target.(string); !ports[name] || strings.Contains(name, "admin") {
					t.Errorf("Service %s leads to port %v", o.Metadata.Name, target)
				}
			}
		case "PodDisruptionBudget", "PodMonitor":
			if len(podLabels) > 0 { // a sidecar's pod is another chart's
				selects(t, o, podLabels, at(o.raw, "spec", "selector", "matchLabels"))
			}
			endpoints, _ := at(o.raw, "spec", "podMetricsEndpoints").([]any)
			for _, e := range endpoints {
				if name := e.(values)["port"]; len(podLabels) > 0 && !ports[fmt.Sprint(name)] {
					t.Errorf("the PodMonitor names port %v", name)
				}
			}
		case "NetworkPolicy":
			selects(t, o, podLabels, at(o.raw, "spec", "podSelector", "matchLabels"))
			for _, rule := range at(o.raw, "spec", "ingress").([]any) {
				for _, p := range rule.(values)["ports"].([]any) {
					if name := p.(values)["port"]; !ports[fmt.Sprint(name)] {
						t.Errorf("the policy names port %v", name)
					}
				}
			}
		}
	}
}

// at is the value at a path; nil where there is none.
func at(v any, path ...string) any {
	for _, key := range path {
		m, is := v.(values)
		if !is {
			return nil
		}
		v = m[key]
	}
	return v
}

// selects reports a selector that is empty or does not fit the pod's labels.
func selects(t *testing.T, o object, podLabels values, selector any) {
	t.Helper()
	m, _ := selector.(values)
	if len(m) == 0 {
		t.Errorf("%s %s selects everything", o.Kind, o.Metadata.Name)
	}
	for key, value := range m {
		if podLabels[key] != value {
			t.Errorf("%s %s selects %s=%v, the pod has %v", o.Kind, o.Metadata.Name, key, value, podLabels[key])
		}
	}
}

// locked reports a container that may do more than it must, or has no memory limit.
func locked(t *testing.T, container values) {
	t.Helper()
	for key, want := range map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true} {
		if got := at(container, "securityContext", key); got != want {
			t.Errorf("%s is %v", key, got)
		}
	}
	if at(container, "resources", "limits", "memory") == nil {
		t.Error("no memory limit")
	}
}

// patient reports a pod that one slow answer takes out of its Services, or that nothing takes out: readiness fails after the
// third answer that is late or wrong, Kubernetes' default, unless failureThreshold says more.
func patient(t *testing.T, container values) {
	t.Helper()
	probe, _ := container["readinessProbe"].(values)
	if at(probe, "httpGet", "path") != "/readyz" && !strings.Contains(fmt.Sprint(at(probe, "exec", "command")), "health --ready") {
		t.Errorf("readiness is %v", probe)
	}
	if n, written := probe["failureThreshold"].(float64); written && n < 3 {
		t.Errorf("readiness fails after %v answers", n)
	}
}

// TestMemory: the limit grows with the connections, by what one costs, and GOMEMLIMIT with it.
func TestMemory(t *testing.T) {
	f := func(in string, connections int, want, limit string) {
		t.Helper()
		v := readValues(t, "../"+in+".yaml")
		set(v, []string{"devices", "maxConnections"}, connections)
		files, err := render(load(t, "../jobgate"), v)
		if err != nil {
			t.Fatal(err)
		}
		text := files["jobgate/templates/workload.yaml"]
		if !strings.Contains(text, "memory: "+want+"\n") || !strings.Contains(text, `value: "`+limit+`"`) {
			t.Errorf("%s with %d connections: no memory: %s, GOMEMLIMIT %s in\n%s", in, connections, want, limit, text)
		}
	}
	f("gateway", 10240, "602Mi", "541MiB")       // 64 + 128 + 10240×16/1024 + 2000×128/1024
	f("gateway", 102400, "2042Mi", "1837MiB")    // 1440 more
	f("jobs-sqlite", 10240, "1114Mi", "1002MiB") // 512 more
	f("jobs-postgres", 10240, "602Mi", "541MiB")
}
