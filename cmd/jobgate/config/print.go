package config

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobgate/cmd/jobgate/config/strictyaml"
)

const redacted = "REDACTED"

// redactURL replaces the parts of a URL that may be secret: user information and the query.
func redactURL(text string) string {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return text
	}
	authority, tail := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, tail = rest[:i], rest[i:]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = redacted + authority[at:]
	}
	if path, _, query := strings.Cut(tail, "?"); query {
		tail = path + "?" + redacted
	}
	return scheme + "://" + authority + tail
}

// WriteTo writes the effective configuration as YAML: every setting, with a comment where it does not come from the
// defaults. External ids, and users and queries in URLs, are redacted. All other secrets are in separate files.
func (l *Loaded) WriteTo(w io.Writer) (int64, error) {
	p := printer{w: bufio.NewWriter(w), origins: l.origins}
	p.structure(reflect.ValueOf(l.Config), "", 0)
	return p.n, p.w.Flush()
}

type printer struct {
	w       *bufio.Writer
	n       int64
	origins map[string]Origin
}

func (p *printer) line(indent int, text, key string) {
	if at := p.origins[key]; key != "" && at != (Origin{}) {
		text += "  # " + at.String()
	}
	n, _ := p.w.WriteString(strings.Repeat("  ", indent) + text + "\n") // Flush reports the error
	p.n += int64(n)
}

func (p *printer) structure(v reflect.Value, key string, indent int) {
	for f := range strictyaml.Fields(v.Type()) {
		name := f.Tag.Get("yaml")
		p.value(v.FieldByIndex(f.Index), f.Tag, name, strictyaml.Join(key, name), indent)
	}
}

func (p *printer) value(v reflect.Value, tag reflect.StructTag, name, key string, indent int) {
	switch {
	case isUnset(v, tag): // no value means "unset"
		p.line(indent, "# "+name+": not set", "")
	case strictyaml.IsScalar(v.Type()):
		p.line(indent, name+": "+spell(v, tag), key)
	case v.Kind() == reflect.Struct:
		p.line(indent, name+":", "")
		p.structure(v, key, indent+1)
	case v.Len() == 0 && v.Kind() == reflect.Slice:
		p.line(indent, name+": []", "")
	case v.Len() == 0:
		p.line(indent, name+": {}", "")
	case v.Kind() == reflect.Map:
		p.line(indent, name+":", "")
		entries := v.Interface()
		for _, k := range sortedKeys(entries) {
			p.value(v.MapIndex(reflect.ValueOf(k)), tag, quoteKey(k), strictyaml.Join(key, k), indent+1)
		}
	default:
		p.line(indent, name+":", "")
		for i := range v.Len() {
			p.item(v.Index(i), tag, key+"["+strconv.Itoa(i)+"]", indent+1)
		}
	}
}

// isUnset reports whether v can only result from an absent key, because no written value would mean the same.
func isUnset(v reflect.Value, tag reflect.StructTag) bool {
	switch {
	case !v.IsZero():
		return false
	case v.Kind() == reflect.Slice, tag.Get("empty") == "refused":
		return true
	case v.Type() == reflect.TypeFor[time.Duration](): // its default is another setting
		return tag.Get("default") == ""
	}
	return v.Kind() == reflect.String && tag.Get("enum") != ""
}

func (p *printer) item(v reflect.Value, tag reflect.StructTag, key string, indent int) {
	if strictyaml.IsScalar(v.Type()) {
		p.line(indent, "- "+spell(v, tag), key)
		return
	}
	p.line(indent, "-", "")
	p.structure(v, key, indent+1)
}

// spell formats a scalar as in the file.
func spell(v reflect.Value, tag reflect.StructTag) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		return strictyaml.FormatDuration(x)
	case netip.Prefix:
		return x.String()
	case string:
		if x != "" && tag.Get("secret") != "" {
			return redacted
		}
		if strings.Contains(x, "://") {
			x = redactURL(x)
		}
		return strconv.Quote(x)
	}
	return fmt.Sprint(v.Interface())
}

func quoteKey(k string) string {
	if roleNamePattern.MatchString(k) && strings.Trim(k, "0123456789.-_") != "" {
		return k
	}
	return strconv.Quote(k)
}

func sortedKeys(m any) []string {
	switch m := m.(type) {
	case map[string]string:
		return slices.Sorted(maps.Keys(m))
	case map[string]Role:
		return slices.Sorted(maps.Keys(m))
	}
	return nil
}
