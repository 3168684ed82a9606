// Package modeltest builds requests from the model: valid ones, and all that must be refused; for tests only.
package modeltest

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"jobgate/gateway/jobs/api/model"
)

// Violation is a value that breaks one constraint of a shape.
type Violation struct {
	What  string
	Value any
}

// candidates are strings; each pattern of the model matches at least one.
var candidates = []string{"abc", "ABC", "arn:aws:iot:us-east-1:123456789012:thing/a", "1.0"}

// Sample returns a valid value of s, with all members.
func Sample(s *model.Shape) any {
	switch s.Kind {
	case model.KindBoolean:
		return true
	case model.KindInteger, model.KindLong, model.KindDouble, model.KindTimestamp:
		return max(s.Bounds.Min, 1)
	case model.KindList:
		return []any{Sample(s.Element)}
	case model.KindMap:
		return map[string]any{Sample(s.Key).(string): Sample(s.Element)}
	case model.KindStructure:
		m := map[string]any{}
		for _, member := range s.Members {
			m[member.Name] = Sample(member.Shape)
		}
		return m
	}
	if s.Enum != nil {
		return s.Enum[0]
	}
	for _, c := range candidates {
		if s.StringFaults(c) == nil {
			return c
		}
	}
	return strings.Repeat("x", int(s.Bounds.Min))
}

// violations returns values that break each of s's constraints, nested ones too.
func violations(s *model.Shape) (list []Violation) {
	add := func(what string, value any) { list = append(list, Violation{what, value}) }
	switch s.Kind {
	case model.KindString:
		add("a number", 1)
		for _, v := range textViolations(s) {
			add(v.What, v.Value)
		}
	case model.KindBoolean:
		add("text", "true")
	case model.KindInteger, model.KindLong, model.KindDouble:
		add("text", "1")
		if s.Kind != model.KindDouble {
			add("a fraction", 1.5)
		}
		if s.Kind == model.KindInteger {
			add("64 bits", 1<<40)
		}
		if s.Bounds.HasMin {
			add("too small", s.Bounds.Min-1)
		}
		if s.Bounds.HasMax {
			add("too large", s.Bounds.Max+1)
		}
	case model.KindList:
		add("text", "[]")
		if s.Bounds.HasMin {
			add("empty", []any{})
		}
		if s.Bounds.HasMax {
			add("too long", slices.Repeat([]any{Sample(s.Element)}, int(s.Bounds.Max)+1))
		}
		add("null inside", []any{nil})
		for _, v := range violations(s.Element) {
			add(v.What+" inside", []any{v.Value})
		}
	case model.KindMap:
		add("text", "{}")
		for _, v := range textViolations(s.Key) {
			add(v.What+" as a key", map[string]any{v.Value.(string): Sample(s.Element)})
		}
		for _, v := range violations(s.Element) {
			add(v.What+" as a value", map[string]any{Sample(s.Key).(string): v.Value})
		}
	case model.KindStructure:
		add("a list", []any{})
		list = append(list, memberViolations(s.Members)...)
	}
	return list
}

func textViolations(s *model.Shape) (list []Violation) {
	if s.Enum != nil {
		list = append(list, Violation{"no word of the enum", "NONE_OF_IT"})
	}
	if s.Bounds.HasMin && s.Bounds.Min > 0 {
		list = append(list, Violation{"too short", strings.Repeat("a", int(s.Bounds.Min)-1)})
	}
	if s.Bounds.HasMax {
		list = append(list, Violation{"too long", strings.Repeat("a", int(s.Bounds.Max)+1)})
	}
	if s.Pattern != nil && !s.Pattern.MatchString("\u0007 ") {
		list = append(list, Violation{"against the pattern", "\u0007 "})
	}
	return list
}

// memberViolations returns structures with one wrong member each.
func memberViolations(members []model.Member) (list []Violation) {
	for _, m := range members {
		with := func(what string, value any) {
			structure := Sample((&model.Shape{Kind: model.KindStructure, Members: members})).(map[string]any)
			structure[m.Name] = value
			if what == "missing" {
				delete(structure, m.Name)
			}
			list = append(list, Violation{m.Name + " " + what, structure})
		}
		if m.Required {
			with("missing", nil)
			with("null", nil)
		}
		for _, v := range violations(m.Shape) {
			with(v.What, v.Value)
		}
	}
	return list
}

// Form builds a request of op with the given input.
func Form(op *model.Operation, values map[string]any) (uri, body string) {
	segments := slices.Clone(op.Segments)
	query := url.Values{}
	members := map[string]any{}
	for _, m := range op.Input {
		v, given := values[m.Name]
		switch {
		case m.Place == "uri":
			i := slices.Index(segments, "{"+m.Name+"}")
			segments[i] = url.PathEscape(textOf(v))
		case m.Place == "query" && given:
			query.Set(m.Name, textOf(v))
		case given:
			members[m.Name] = v
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

// Base returns the required members only, so that an injected fault is the only one.
func Base(op *model.Operation) map[string]any {
	values := map[string]any{}
	for _, m := range op.Input {
		if m.Required {
			values[m.Name] = Sample(m.Shape)
		}
	}
	return values
}

// Refusals returns every request that op must refuse because one member is wrong.
func Refusals(op *model.Operation) (list []Violation) {
	for _, m := range op.Input {
		add := func(what string, value any) {
			values := Base(op)
			values[m.Name] = value
			if what == "missing" {
				delete(values, m.Name)
			}
			list = append(list, Violation{m.Name + " " + what, values})
		}
		if m.Required && m.Place != "uri" {
			add("missing", nil)
		}
		for _, v := range violations(m.Shape) {
			text, isText := v.Value.(string)
			if m.Place != "" && (!isText || m.Place == "uri" && text == "") || v.What == "a number" && m.Place != "" || m.Place != "" && v.What == "text" {
				continue // a path or a query cannot express it, or it is no fault there
			}
			if op.Quoted && v.What == "text" && m.Shape.Kind != model.KindString && isText {
				v.Value = "1x" // in quotes a number is one, and a boolean, too
			}
			add(v.What, v.Value)
		}
		if m.Place == "query" && m.Shape.Kind == model.KindBoolean {
			add("neither true nor false", "yes")
		}
		if m.Place == "query" && m.Shape.Bounds.HasMax && m.Shape.Kind == model.KindInteger {
			add("too large", m.Shape.Bounds.Max+1)
			add("too small", m.Shape.Bounds.Min-1)
		}
		if m.Place != "" && (m.Shape.Kind == model.KindInteger || m.Shape.Kind == model.KindLong) {
			add("no number", "x1")
			add("a fraction", 1.5)
		}
	}
	return list
}
