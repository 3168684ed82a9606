package strictyaml

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Set parses text and stores it in v. If text is invalid, v is unchanged, and Set returns the problem and what is allowed.
func Set(v reflect.Value, tag reflect.StructTag, text string) (problem, want string) {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		d, err := ParseDuration(text)
		if err != nil {
			return fmt.Sprintf("%q %v", text, err), durationWant(tag)
		}
		return setInRange(p, d, tag, text, ParseDuration)
	case *Size:
		s, err := ParseSize(text)
		if err != nil {
			return fmt.Sprintf("%q %v", text, err), sizeWant(tag)
		}
		return setInRange(p, s, tag, text, ParseSize)
	case *int:
		n, err := strconv.Atoi(text)
		if errors.Is(err, strconv.ErrRange) {
			return fmt.Sprintf("%q is out of range", text), allowed(tag)
		}
		if err != nil {
			return fmt.Sprintf("%q is not a whole number", text), allowed(tag)
		}
		return setInRange(p, n, tag, text, strconv.Atoi)
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Sprintf("%q is not a bool", text), "true or false"
		}
		*p = text == "true"
	case *netip.Prefix:
		prefix, err := parsePrefix(text)
		if err != nil {
			return fmt.Sprintf("%q %v", text, err), "10.0.0.0/8, 2001:db8::/32 or one address"
		}
		*p = prefix
	case *string:
		if text == "" && tag.Get("empty") == "refused" {
			return "is empty", allowed(tag)
		}
		if names := tag.Get("enum"); names != "" && !slices.Contains(strings.Split(names, "|"), text) {
			return fmt.Sprintf("%q is not a choice", text), allowed(tag)
		}
		*p = text
	}
	return "", ""
}

// setInRange stores n in p unless it is outside the field's min and max tags, which parse parses.
func setInRange[T int | Size | time.Duration](p *T, n T, tag reflect.StructTag, text string, parse func(string) (T, error)) (problem, want string) {
	if tag.Get("max") != "" {
		least, err1 := parse(tag.Get("min"))
		most, err2 := parse(tag.Get("max"))
		if err1 != nil || err2 != nil || n < least || n > most {
			return fmt.Sprintf("%q is out of range", text), allowed(tag)
		}
	}
	*p = n
	return "", ""
}

// emptyFix is the fix suggested for a setting that must not be empty.
func emptyFix(text string, tag reflect.StructTag) string {
	if text == "" && tag.Get("empty") == "refused" {
		return "say what it is, or remove the key"
	}
	return ""
}

func durationWant(tag reflect.StructTag) string {
	return allowed(tag) + ", written like 90s, 15m, 1h30m or 7d"
}

func sizeWant(tag reflect.StructTag) string {
	return allowed(tag) + ", written like 8KiB or 256MiB"
}

// Defaults stores the default tags of the struct that into points to, and of the structs within.
func Defaults(into any) { setDefaults(reflect.ValueOf(into).Elem()) }

func setDefaults(v reflect.Value) {
	for f := range Fields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		switch text, ok := f.Tag.Lookup("default"); {
		case f.Type.Kind() == reflect.Struct && !IsScalar(f.Type):
			setDefaults(field)
		case ok:
			Set(field, f.Tag, text) // the tags are constants; a test checks that each default is in range
		}
	}
}
