package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

// The sources of the schemas: the Go modules of Kubernetes and of the Prometheus operator. They are downloaded and not
// compiled. The sums are those of go.sum.
const (
	kubernetes    = "1.34.1"
	kubernetesSum = "h1:F3p8dtpv+i8zQoebZeK5zBqM1g9x1aIdnA5vthvcuUk="
	operator      = "0.85.0"
	operatorSum   = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="
)

// validators validates objects against schemas.
type validators struct{ kubeconform validator.Validator }

var loadSchemas = sync.OnceValues(func() (*validators, error) {
	folder, err := os.MkdirTemp("", "schemas")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // the validator has read each schema by then
	if err := errors.Join(kubernetesSchemas(folder), operatorSchemas(folder)); err != nil {
		return nil, err
	}
	v, err := validator.New([]string{folder + "/{{ .ResourceKind }}{{ .KindSuffix }}.json"}, validator.Opts{Strict: true, KubernetesVersion: kubernetes})
	if err != nil {
		return nil, err
	}
	all := &validators{v}
	for _, o := range []string{"v1 Service", "v1 ConfigMap", "v1 ServiceAccount", "apps/v1 Deployment", "apps/v1 StatefulSet", "policy/v1 PodDisruptionBudget",
		"autoscaling/v2 HorizontalPodAutoscaler", "networking.k8s.io/v1 NetworkPolicy", "monitoring.coreos.com/v1 PodMonitor", "monitoring.coreos.com/v1 PrometheusRule"} {
		version, kind, _ := strings.Cut(o, " ")
		r := v.ValidateResource(resource.Resource{Bytes: fmt.Appendf(nil, "apiVersion: %s\nkind: %s\nmetadata: {name: a}\nunknown: 1\n", version, kind)})
		if r.Status != validator.Invalid { // the schema exists, and is strict
			return nil, fmt.Errorf("%s with an unknown field: status %v, %w", o, r.Status, r.Err)
		}
	}
	return all, nil
})

func schemas(t *testing.T) *validators {
	t.Helper()
	s, err := loadSchemas()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check returns an error if an object is not valid.
func (v *validators) check(o object) error {
	r := v.kubeconform.ValidateResource(resource.Resource{Bytes: o.text})
	if r.Status == validator.Valid {
		return nil
	}
	err := fmt.Errorf("status %v: %w", r.Status, r.Err)
	for _, e := range r.ValidationErrors {
		err = fmt.Errorf("%w\n%s: %s", err, e.Path, e.Msg)
	}
	return err
}

// module returns the folder of a module, and downloads the module if necessary.
func module(path, version, sum string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", path+"@v"+version)
	cmd.Dir = os.TempDir() // a folder without go.mod, because it is not a dependency
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("cannot download %s: %w: %s", path, err, out)
	}
	var m struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &m); err != nil {
		return "", err
	}
	if m.Sum != sum {
		return "", fmt.Errorf("%s@v%s has the sum %s, want %s", path, version, m.Sum, sum)
	}
	return m.Dir, nil
}

// kubernetesSchemas writes a schema for each kind of Kubernetes's OpenAPI document, with the definitions that it refers to.
func kubernetesSchemas(folder string) error {
	from, err := module("k8s.io/kubernetes", kubernetes, kubernetesSum)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(from, "api/openapi-spec/swagger.json"))
	if err != nil {
		return err
	}
	var doc struct{ Definitions map[string]values }
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	for _, d := range doc.Definitions {
		strict(d)
	}
	const api = "io.k8s.apimachinery.pkg.api.resource.Quantity"
	doc.Definitions[api] = values{"type": []string{"string", "number"}}
	for name, d := range doc.Definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 {
			continue
		}
		k := kinds[0].(values)
		needed := values{}
		collect(d, doc.Definitions, needed)
		schema := values{"$ref": "#/definitions/" + name, "definitions": needed}
		needed[name] = d
		if err := writeSchema(folder, k["group"].(string), k["version"].(string), k["kind"].(string), schema); err != nil {
			return err
		}
	}
	return nil
}

// operatorSchemas writes a schema for each custom resource of the Prometheus operator.
func operatorSchemas(folder string) error {
	from, err := module("github.com/prometheus-operator/prometheus-operator", operator, operatorSum)
	if err != nil {
		return err
	}
	for _, name := range []string{"podmonitors", "prometheusrules"} {
		text, err := os.ReadFile(filepath.Join(from, "example/prometheus-operator-crd/monitoring.coreos.com_"+name+".yaml"))
		if err != nil {
			return err
		}
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema values }
				}
			}
		}
		if err := yaml.Unmarshal(text, &crd); err != nil {
			return err
		}
		for _, v := range crd.Spec.Versions {
			schema := v.Schema.OpenAPIV3Schema
			delete(schema["properties"].(values), "metadata") // any metadata; Kubernetes has its schema
			strict(schema)
			schema["properties"].(values)["metadata"] = values{"type": "object"}
			if err := writeSchema(folder, crd.Spec.Group, v.Name, crd.Spec.Names.Kind, schema); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeSchema writes a schema under the name that kubeconform expects.
func writeSchema(folder, group, version, kind string, schema values) error {
	suffix := "-" + version
	if group != "" {
		first, _, _ := strings.Cut(group, ".")
		suffix = "-" + first + suffix
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, strings.ToLower(kind)+strings.ToLower(suffix)+".json"), text, 0o600)
}

// strict changes an OpenAPI schema into a JSON schema that rejects unknown fields.
func strict(schema any) {
	switch s := schema.(type) {
	case values:
		if s["format"] == "int-or-string" || s["x-kubernetes-int-or-string"] == true {
			delete(s, "anyOf")
			s["type"] = []string{"string", "integer"}
		}
		delete(s, "format") // kubeconform knows only the formats of strings
		delete(s, "default")
		if _, is := s["properties"].(values); is && s["additionalProperties"] == nil && s["x-kubernetes-preserve-unknown-fields"] == nil {
			s["additionalProperties"] = false
		}
		for key, v := range s {
			if named, is := v.(values); is && key == "properties" { // names of fields, one of which may be format
				for _, field := range named {
					strict(field)
				}
				continue
			}
			strict(v)
		}
	case []any:
		for _, v := range s {
			strict(v)
		}
	}
}

// collect adds the definitions that a schema refers to.
func collect(schema any, all map[string]values, needed values) {
	switch s := schema.(type) {
	case values:
		if ref, is := s["$ref"].(string); is {
			name := strings.TrimPrefix(ref, "#/definitions/")
			if needed[name] == nil {
				needed[name] = all[name]
				collect(all[name], all, needed)
			}
		}
		for _, v := range s {
			collect(v, all, needed)
		}
	case []any:
		for _, v := range s {
			collect(v, all, needed)
		}
	}
}
