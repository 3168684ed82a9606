package check

import (
	"fmt"
	"strings"
	"testing"
)

// checkConsistency checks what no schema covers: Services and policies name ports of the pod, no Service exposes the admin port,
// selectors match the pod, and the pod is locked down.
func checkConsistency(t *testing.T, all []object) {
	t.Helper()
	ports, podLabels := map[string]bool{}, values{}
	for _, o := range all {
		if o.Kind != "Deployment" && o.Kind != "StatefulSet" {
			continue
		}
		template := at(o.raw, "spec", "template").(values)
		podLabels = at(template, "metadata", "labels").(values)
		checkSelector(t, o, podLabels, at(o.raw, "spec", "selector", "matchLabels"))
		for _, list := range []string{"initContainers", "containers"} {
			containers, _ := at(template, "spec", list).([]any)
			for _, c := range containers {
				container := c.(values)
				named, _ := container["ports"].([]any)
				for _, p := range named {
					ports[p.(values)["name"].(string)] = true
				}
				if container["name"] == "jobgate" {
					checkSecurity(t, container)
					checkReadiness(t, container)
				}
			}
		}
	}
	for _, o := range all {
		switch o.Kind {
		case "Service":
			checkSelector(t, o, podLabels, at(o.raw, "spec", "selector"))
			for _, p := range at(o.raw, "spec", "ports").([]any) {
				target := p.(values)["targetPort"]
				if name, _ := target.(string); !ports[name] || strings.Contains(name, "admin") {
					t.Errorf("Service %s has the target port %v", o.Metadata.Name, target)
				}
			}
		case "PodDisruptionBudget", "PodMonitor":
			if len(podLabels) > 0 { // a sidecar's pod belongs to another chart
				checkSelector(t, o, podLabels, at(o.raw, "spec", "selector", "matchLabels"))
			}
			endpoints, _ := at(o.raw, "spec", "podMetricsEndpoints").([]any)
			for _, e := range endpoints {
				if name := e.(values)["port"]; len(podLabels) > 0 && !ports[fmt.Sprint(name)] {
					t.Errorf("the PodMonitor names port %v, which the pod does not have", name)
				}
			}
		case "NetworkPolicy":
			checkSelector(t, o, podLabels, at(o.raw, "spec", "podSelector", "matchLabels"))
			for _, rule := range at(o.raw, "spec", "ingress").([]any) {
				for _, p := range rule.(values)["ports"].([]any) {
					if name := p.(values)["port"]; !ports[fmt.Sprint(name)] {
						t.Errorf("the NetworkPolicy names port %v, which the pod does not have", name)
					}
				}
			}
		}
	}
}

// at returns the value at a path, nil if there is none.
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

// checkSelector reports a selector that is empty or does not match the pod's labels.
func checkSelector(t *testing.T, o object, podLabels values, selector any) {
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

// checkSecurity reports a container with unneeded privileges or without a memory limit.
func checkSecurity(t *testing.T, container values) {
	t.Helper()
	for key, want := range map[string]any{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true} {
		if got := at(container, "securityContext", key); got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	if at(container, "resources", "limits", "memory") == nil {
		t.Error("the container has no memory limit")
	}
}

// checkReadiness checks that readiness uses /readyz, and that it takes at least three failed answers, Kubernetes' default
// failureThreshold, to remove a pod from its Services.
func checkReadiness(t *testing.T, container values) {
	t.Helper()
	probe, _ := container["readinessProbe"].(values)
	if at(probe, "httpGet", "path") != "/readyz" && !strings.Contains(fmt.Sprint(at(probe, "exec", "command")), "health --ready") {
		t.Errorf("the readiness probe is %v, want /readyz", probe)
	}
	if n, ok := probe["failureThreshold"].(float64); ok && n < 3 {
		t.Errorf("readiness fails after %v answers, want 3 or more", n)
	}
}

// TestMemory checks that the memory limit and GOMEMLIMIT grow with the number of connections.
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
			t.Errorf("%s with %d connections: want memory: %s and GOMEMLIMIT %s in\n%s", in, connections, want, limit, text)
		}
	}
	f("gateway", 10240, "602Mi", "541MiB")       // 64 + 128 + 10240×16/1024 + 2000×128/1024
	f("gateway", 102400, "2042Mi", "1837MiB")    // 1440 more
	f("jobs-sqlite", 10240, "1114Mi", "1002MiB") // 512 more
	f("jobs-postgres", 10240, "602Mi", "541MiB")
}
