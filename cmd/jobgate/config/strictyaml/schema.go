package strictyaml

import (
	"net/netip"
	"reflect"
	"strings"
	"time"
)

// Setting describes one leaf of a configuration.
type Setting struct {
	Key     string // presign.expires; roles.NAME.arn; routes[].path
	Env     string // JOBGATE_PRESIGN_EXPIRES; empty if only the file can set it
	Type    string // string, bool, int, duration, size, CIDR, list of …, map of …
	Default string // as written in the file; empty: unset
	Allowed string // range or choice; empty: any
	Restart bool   // a change needs a restart
}

// Settings lists the leaves of a struct in the order of its fields. Names of environment variables begin with envPrefix.
func Settings(t reflect.Type, envPrefix string) []Setting {
	return settingsOf(t, "", envPrefix, false)
}

// settingsOf lists the leaves below t, whose keys begin with prefix. Scalar leaves get a variable unless envPrefix is empty;
// restart is the tag of the struct around them.
func settingsOf(t reflect.Type, prefix, envPrefix string, restart bool) []Setting {
	var all []Setting
	for f := range Fields(t) {
		key, restart := prefix+f.Tag.Get("yaml"), restart || f.Tag.Get("restart") != ""
		switch {
		case f.Type.Kind() == reflect.Struct && !IsScalar(f.Type):
			all = append(all, settingsOf(f.Type, key+".", envPrefix, restart)...)
		case f.Type.Kind() == reflect.Map && !IsScalar(f.Type.Elem()):
			all = append(all, settingsOf(f.Type.Elem(), key+".NAME.", "", restart)...)
		case f.Type.Kind() == reflect.Slice && !IsScalar(f.Type.Elem()):
			all = append(all, settingsOf(f.Type.Elem(), key+"[].", "", restart)...)
		default:
			s := Setting{Key: key, Type: typeName(f.Type), Default: f.Tag.Get("default"), Allowed: allowed(f.Tag), Restart: restart}
			if envPrefix != "" && IsScalar(f.Type) {
				s.Env = EnvName(envPrefix, key)
			}
			all = append(all, s)
		}
	}
	return all
}

// Fields yields the fields of t that the file can set.
func Fields(t reflect.Type) func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if f := t.Field(i); f.Tag.Get("yaml") != "" && !yield(f) {
				return
			}
		}
	}
}

// keysOf lists the keys that a mapping of type t may hold.
func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range Fields(t) {
		keys = append(keys, f.Tag.Get("yaml"))
	}
	return keys
}

// EnvName returns the name of key's environment variable.
func EnvName(prefix, key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// IsScalar reports whether a single text can set a value of type t.
func IsScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		return true
	}
	return t == reflect.TypeFor[netip.Prefix]()
}

func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Size]():
		return "size"
	case reflect.TypeFor[netip.Prefix]():
		return "CIDR"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + typeName(t.Elem())
	case reflect.Map:
		return "map of " + typeName(t.Elem())
	}
	return t.Kind().String()
}

// allowed formats the range or choice of a field.
func allowed(tag reflect.StructTag) string {
	if enum := tag.Get("enum"); enum != "" {
		return OneOf(strings.Split(enum, "|"))
	}
	if tag.Get("max") != "" {
		return tag.Get("min") + ".." + tag.Get("max")
	}
	return ""
}

// lookup finds the scalar field of c that key names.
func lookup(c reflect.Value, key string) (reflect.Value, reflect.StructTag, bool) {
	name, rest, nested := strings.Cut(key, ".")
	for f := range Fields(c.Type()) {
		if f.Tag.Get("yaml") != name {
			continue
		}
		v := c.FieldByIndex(f.Index)
		if nested && f.Type.Kind() == reflect.Struct {
			return lookup(v, rest)
		}
		return v, f.Tag, !nested && IsScalar(f.Type)
	}
	return reflect.Value{}, "", false
}
