package config

import (
	"reflect"
	"testing"
	"time"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// TestDefaults checks that every default, min and max in the tags is valid and in range.
func TestDefaults(t *testing.T) {
	var walk func(typ reflect.Type, key string)
	walk = func(typ reflect.Type, key string) {
		for f := range strictyaml.Fields(typ) {
			inner := f.Type
			if inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && !strictyaml.IsScalar(inner) {
				walk(inner, key+f.Tag.Get("yaml")+".")
				continue
			}
			if text, ok := f.Tag.Lookup("default"); ok {
				v := reflect.New(f.Type).Elem()
				if problem, _ := strictyaml.Set(v, f.Tag, text); problem != "" {
					t.Errorf("%s%s: default %s", key, f.Tag.Get("yaml"), problem)
				}
			}
			if most := f.Tag.Get("max"); most != "" {
				v := reflect.New(f.Type).Elem()
				if problem, _ := strictyaml.Set(v, f.Tag, most); problem != "" {
					t.Errorf("%s%s: max %s", key, f.Tag.Get("yaml"), problem)
				}
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
	if c := Default(); c.Presign.Expires != 15*time.Minute || c.Cache.MaxBytes != 256<<20 || c.Limits.MaxPlaceholders != 100 {
		t.Errorf("Default() = %+v", c)
	}
}

// TestEnvNames checks that no two settings share an environment variable.
func TestEnvNames(t *testing.T) {
	seen := map[string]string{}
	for _, s := range Settings() {
		if s.Env == "" {
			continue
		}
		if other, dup := seen[s.Env]; dup {
			t.Errorf("%s names both %s and %s", s.Env, other, s.Key)
		}
		if serviceLinks.MatchString(s.Env) {
			t.Errorf("%s looks like a Kubernetes service link", s.Env)
		}
		seen[s.Env] = s.Key
	}
	if seen["JOBGATE_PRESIGN_EXPIRES"] != "presign.expires" || len(seen) < 40 {
		t.Errorf("%d variables, want 40 or more with JOBGATE_PRESIGN_EXPIRES: %v", len(seen), seen)
	}
}
