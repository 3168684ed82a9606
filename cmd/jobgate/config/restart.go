package config

import (
	"reflect"

	"jobgate/cmd/jobgate/config/strictyaml"
)

// NeedRestart names the settings that differ between two configurations and cannot change in a running gateway: those
// whose field has the tag restart, because the listeners, the store or the log were created with them.
func NeedRestart(was, is *Config) []string {
	changed := changedFields(reflect.ValueOf(was).Elem(), reflect.ValueOf(is).Elem(), "")
	for _, s := range []struct {
		key     string
		differs bool
	}{
		{"auth.mode (from or to mtls)", (was.Auth.Mode == "mtls") != (is.Auth.Mode == "mtls")},
		{"upstream (from or to none)", (len(was.Upstream) > 0) != (len(is.Upstream) > 0)},
		{"presign.quantum (with jobs)", is.Jobs.Enabled && was.Presign.Quantum != is.Presign.Quantum},
	} {
		if s.differs {
			changed = append(changed, s.key)
		}
	}
	return changed
}

// changedFields lists the fields with the tag restart that differ; a struct with the tag is listed as a whole.
func changedFields(was, is reflect.Value, prefix string) (changed []string) {
	for f := range strictyaml.Fields(was.Type()) {
		a, b, key := was.FieldByIndex(f.Index), is.FieldByIndex(f.Index), strictyaml.Join(prefix, f.Tag.Get("yaml"))
		switch {
		case f.Tag.Get("restart") != "":
			if !reflect.DeepEqual(a.Interface(), b.Interface()) {
				changed = append(changed, key)
			}
		case f.Type.Kind() == reflect.Struct && !strictyaml.IsScalar(f.Type):
			changed = append(changed, changedFields(a, b, key)...)
		}
	}
	return changed
}
