package api

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// violation is a value that breaks one constraint of a shape.
type violation struct {
	what  string
	value any
}

// candidates are strings, one of which each pattern of the model takes.
var candidates = []string{"abc", "ABC", "arn:aws:iot:us-east-1:123456789012:thing/a", "1.0"}

// sample returns a value that s takes, all members given.
func (s *shape) sample() any {
	switch s.kind {
	case kindBoolean:
		return true
	case kindInteger, kindLong, kindDouble, kindTimestamp:
		return max(s.bounds.min, 1)
	case kindList:
		return []any{s.element.sample()}
	case kindMap:
		return map[string]any{s.key.sample().(string): s.element.sample()}
	case kindStructure:
		m := map[string]any{}
		for _, member := range s.members {
			m[member.name] = member.shape.sample()
		}
		return m
	}
	if s.enum != nil {
		return s.enum[0]
	}
	for _, c := range candidates {
		if s.stringFaults(c) == nil {
			return c
		}
	}
	return strings.Repeat("x", int(s.bounds.min))
}

// violations returns values that break each of s's constraints, also those inside.
func (s *shape) violations() (list []violation) {
	add := func(what string, value any) { list = append(list, violation{what, value}) }
	switch s.kind {
	case kindString:
		add("a number", 1)
		for _, v := range s.textViolations() {
			add(v.what, v.value)
		}
	case kindBoolean:
		add("text", "true")
	case kindInteger, kindLong, kindDouble:
		add("text", "1")
		if s.kind != kindDouble {
			add("a fraction", 1.5)
		}
		if s.kind == kindInteger {
			add("64 bits", 1<<40)
		}
		if s.bounds.hasMin {
			add("too small", s.bounds.min-1)
		}
		if s.bounds.hasMax {
			add("too large", s.bounds.max+1)
		}
	case kindList:
		add("text", "[]")
		if s.bounds.hasMin {
			add("empty", []any{})
		}
		if s.bounds.hasMax {
			add("too long", slices.Repeat([]any{s.element.sample()}, int(s.bounds.max)+1))
		}
		add("null inside", []any{nil})
		for _, v := range s.element.violations() {
			add(v.what+" inside", []any{v.value})
		}
	case kindMap:
		add("text", "{}")
		for _, v := range s.key.textViolations() {
			add(v.what+" as a key", map[string]any{v.value.(string): s.element.sample()})
		}
		for _, v := range s.element.violations() {
			add(v.what+" as a value", map[string]any{s.key.sample().(string): v.value})
		}
	case kindStructure:
		add("a list", []any{})
		list = append(list, memberViolations(s.members)...)
	}
	return list
}

func (s *shape) textViolations() (list []violation) {
	if s.enum != nil {
		list = append(list, violation{"no word of the enum", "NONE_OF_IT"})
	}
	if s.bounds.hasMin && s.bounds.min > 0 {
		list = append(list, violation{"too short", strings.Repeat("a", int(s.bounds.min)-1)})
	}
	if s.bounds.hasMax {
		list = append(list, violation{"too long", strings.Repeat("a", int(s.bounds.max)+1)})
	}
	if s.pattern != nil && !s.pattern.MatchString("\u0007 ") {
		list = append(list, violation{"against the pattern", "\u0007 "})
	}
	return list
}

// memberViolations returns structures each of which has one member wrong.
func memberViolations(members []member) (list []violation) {
	for _, m := range members {
		with := func(what string, value any) {
			structure := (&shape{kind: kindStructure, members: members}).sample().(map[string]any)
			structure[m.name] = value
			if what == "missing" {
				delete(structure, m.name)
			}
			list = append(list, violation{m.name + " " + what, structure})
		}
		if m.required {
			with("missing", nil)
			with("null", nil)
		}
		for _, v := range m.shape.violations() {
			with(v.what, v.value)
		}
	}
	return list
}

// form forms a request of op with the given values of its input.
func (op *operation) form(values map[string]any) (uri, body string) {
	segments := slices.Clone(op.segments)
	query := url.Values{}
	members := map[string]any{}
	for _, m := range op.input {
		v, given := values[m.name]
		switch {
		case m.place == "uri":
			i := slices.Index(segments, "{"+m.name+"}")
			segments[i] = url.PathEscape(textOf(v))
		case m.place == "query" && given:
			query.Set(m.name, textOf(v))
		case given:
			members[m.name] = v
		}
	}
	uri = "/" + strings.Join(segments, "/")
	if len(query) > 0 {
		uri += "?" + query.Encode()
	}
	if len(members) > 0 {
		text, _ := json.Marshal(members)
		body = string(text)
	}
	return uri, body
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// base drops what need not be given, so that one fault is the only one.
func (op *operation) base() map[string]any {
	values := map[string]any{}
	for _, m := range op.input {
		if m.required {
			values[m.name] = m.shape.sample()
		}
	}
	return values
}

// refusals returns every request that op must refuse because one member is wrong.
func (op *operation) refusals() (list []violation) {
	for _, m := range op.input {
		add := func(what string, value any) {
			values := op.base()
			values[m.name] = value
			if what == "missing" {
				delete(values, m.name)
			}
			list = append(list, violation{m.name + " " + what, values})
		}
		if m.required && m.place != "uri" {
			add("missing", nil)
		}
		for _, v := range m.shape.violations() {
			text, isText := v.value.(string)
			if m.place != "" && (!isText || m.place == "uri" && text == "") || v.what == "a number" && m.place != "" || m.place != "" && v.what == "text" {
				continue // cannot be said in a path or a query, or is no fault there
			}
			if op.quoted && v.what == "text" && m.shape.kind != kindString && isText {
				v.value = "1x" // in quotes a number is one, and a boolean, too
			}
			add(v.what, v.value)
		}
		if m.place == "query" && m.shape.kind == kindBoolean {
			add("neither true nor false", "yes")
		}
		if m.place == "query" && m.shape.bounds.hasMax && m.shape.kind == kindInteger {
			add("too large", m.shape.bounds.max+1)
			add("too small", m.shape.bounds.min-1)
		}
		if m.place != "" && (m.shape.kind == kindInteger || m.shape.kind == kindLong) {
			add("no number", "x1")
			add("a fraction", 1.5)
		}
	}
	return list
}
