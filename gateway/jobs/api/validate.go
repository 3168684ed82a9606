package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFaults bounds how many faults one answer lists.
const maxFaults = 10

// faults collects what is wrong with an input, in AWS's words.
type faults struct {
	list []string
	more int // beyond maxFaults
}

func (f *faults) add(path string, value any, constraint string) {
	if len(f.list) == maxFaults {
		f.more++
		return
	}
	f.list = append(f.list, "Value "+shown(value)+" at '"+path+"' failed to satisfy constraint: "+constraint)
}

// exception returns all faults as one InvalidRequestException, nil if there are none.
func (f *faults) exception() *Exception {
	if len(f.list) == 0 {
		return nil
	}
	n, errors := len(f.list)+f.more, "errors"
	if n == 1 {
		errors = "error"
	}
	return invalidRequest("%d validation %s detected: %s", n, errors, strings.Join(f.list, "; "))
}

// maxShown is how much of a wrong value an answer repeats, in characters.
const maxShown = 100

// shown returns a value as AWS's messages have it. Lists and structures are named, not repeated.
func shown(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		if utf8.RuneCountInString(v) > maxShown {
			v = string([]rune(v)[:maxShown]) + "…"
		}
		return "'" + v + "'"
	case json.Number, bool:
		return fmt.Sprintf("'%v'", v)
	case []any:
		return fmt.Sprintf("of %d elements", len(v))
	default:
		return "of type structure"
	}
}

// check validates a value, as encoding/json with UseNumber decodes it, and returns it without the members that the
// model does not know. null is refused here; a member that is null counts as not given.
func (s *shape) check(f *faults, path string, value any) any {
	if value == nil {
		f.add(path, nil, "Member must not be null")
		return nil
	}
	switch s.kind {
	case kindString:
		s.checkString(f, path, value)
	case kindBoolean:
		if _, ok := value.(bool); !ok {
			f.add(path, value, "Member must be a boolean")
		}
	case kindInteger, kindLong, kindDouble, kindTimestamp:
		s.checkNumber(f, path, value)
	case kindList:
		return s.checkList(f, path, value)
	case kindMap:
		return s.checkMap(f, path, value)
	case kindStructure:
		return s.checkStructure(f, path, value)
	}
	return value
}

func (s *shape) checkString(f *faults, path string, value any) {
	text, ok := value.(string)
	if !ok {
		f.add(path, value, "Member must be a string")
		return
	}
	for _, constraint := range s.stringFaults(text) {
		f.add(path, text, constraint)
	}
}

// stringFaults returns the constraints that text does not satisfy.
func (s *shape) stringFaults(text string) (constraints []string) {
	if s.enum != nil && !slices.Contains(s.enum, text) {
		constraints = append(constraints, "Member must satisfy enum value set: ["+strings.Join(s.enum, ", ")+"]")
	}
	if c := s.bounds.lengthFault(utf8.RuneCountInString(text)); c != "" {
		constraints = append(constraints, c)
	}
	if s.pattern != nil && !s.pattern.MatchString(text) {
		constraints = append(constraints, "Member must satisfy regular expression pattern: "+s.source)
	}
	return constraints
}

func (b *bounds) lengthFault(n int) string {
	switch {
	case b.hasMax && float64(n) > b.max:
		return "Member must have length less than or equal to " + number(b.max)
	case b.hasMin && float64(n) < b.min:
		return "Member must have length greater than or equal to " + number(b.min)
	}
	return ""
}

func (b *bounds) valueFault(v float64) string {
	switch {
	case b.hasMax && v > b.max:
		return "Member must have value less than or equal to " + number(b.max)
	case b.hasMin && v < b.min:
		return "Member must have value greater than or equal to " + number(b.min)
	}
	return ""
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (s *shape) checkNumber(f *faults, path string, value any) {
	n, ok := value.(json.Number)
	if !ok {
		f.add(path, value, "Member must be a number")
		return
	}
	v, err := n.Float64()
	if err != nil || math.IsInf(v, 0) {
		f.add(path, value, "Member must be a number")
		return
	}
	if s.kind == kindInteger || s.kind == kindLong {
		bits := 64
		if s.kind == kindInteger {
			bits = 32
		}
		if _, err := strconv.ParseInt(n.String(), 10, bits); err != nil {
			f.add(path, value, fmt.Sprintf("Member must be an integer of %d bits", bits))
			return
		}
	}
	if c := s.bounds.valueFault(v); c != "" {
		f.add(path, value, c)
	}
}

func (s *shape) checkList(f *faults, path string, value any) any {
	list, ok := value.([]any)
	if !ok {
		f.add(path, value, "Member must be a list")
		return nil
	}
	if c := s.bounds.lengthFault(len(list)); c != "" {
		f.add(path, value, c)
	}
	clean := make([]any, len(list))
	for i, element := range list {
		clean[i] = s.element.check(f, path+"."+strconv.Itoa(i+1)+".member", element)
	}
	return clean
}

func (s *shape) checkMap(f *faults, path string, value any) any {
	m, ok := value.(map[string]any)
	if !ok {
		f.add(path, value, "Member must be a map")
		return nil
	}
	if c := s.bounds.lengthFault(len(m)); c != "" {
		f.add(path, value, c)
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		element := m[key]
		if constraints := s.key.stringFaults(key); constraints != nil {
			f.add(path, key, "Map keys must satisfy constraint: ["+strings.Join(constraints, ", ")+"]")
		}
		text, ok := element.(string)
		if !ok { // the values of all maps of the model are strings
			f.add(path, element, "Map value must satisfy constraint: [Member must be a string]")
		} else if constraints := s.element.stringFaults(text); constraints != nil {
			f.add(path, text, "Map value must satisfy constraint: ["+strings.Join(constraints, ", ")+"]")
		}
	}
	return m
}

func (s *shape) checkStructure(f *faults, path string, value any) any {
	given, ok := value.(map[string]any)
	if !ok {
		f.add(path, value, "Member must be a structure")
		return nil
	}
	clean := make(map[string]any, len(given))
	for i := range s.members {
		m := &s.members[i]
		v := given[m.name]
		if v == nil && !m.required {
			continue
		}
		clean[m.name] = m.shape.check(f, path+"."+m.name, v)
	}
	return clean
}
