package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"jobgate/gateway/jobs/api/exception"
)

// maxFaults bounds how many faults one answer lists.
const maxFaults = 10

// Faults collects the faults of an input, in AWS's words. Its zero value has none.
type Faults struct {
	List []string
	more int // beyond maxFaults
}

// Add adds the fault that the value at path violates constraint.
func (f *Faults) Add(path string, value any, constraint string) {
	if len(f.List) == maxFaults {
		f.more++
		return
	}
	f.List = append(f.List, "Value "+Shown(value)+" at '"+path+"' failed to satisfy constraint: "+constraint)
}

// Exception returns all faults as one InvalidRequestException, nil if there are none.
func (f *Faults) Exception() *exception.Exception {
	if len(f.List) == 0 {
		return nil
	}
	n, errors := len(f.List)+f.more, "errors"
	if n == 1 {
		errors = "error"
	}
	return exception.InvalidRequest("%d validation %s detected: %s", n, errors, strings.Join(f.List, "; "))
}

// maxShown bounds how much of an invalid value an answer repeats, in characters.
const maxShown = 100

// Shown returns a value as written in AWS's messages. Lists and structures are named, not repeated.
func Shown(value any) string {
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

// Check validates a value decoded by encoding/json with UseNumber, and returns it without members unknown to the model.
// null is refused here; a member that is null counts as missing.
func (s *Shape) Check(f *Faults, path string, value any) any {
	if value == nil {
		f.Add(path, nil, "Member must not be null")
		return nil
	}
	switch s.Kind {
	case KindString:
		s.checkString(f, path, value)
	case KindBoolean:
		if _, ok := value.(bool); !ok {
			f.Add(path, value, "Member must be a boolean")
		}
	case KindInteger, KindLong, KindDouble, KindTimestamp:
		s.checkNumber(f, path, value)
	case KindList:
		return s.checkList(f, path, value)
	case KindMap:
		return s.checkMap(f, path, value)
	case KindStructure:
		return s.checkStructure(f, path, value)
	}
	return value
}

func (s *Shape) checkString(f *Faults, path string, value any) {
	text, ok := value.(string)
	if !ok {
		f.Add(path, value, "Member must be a string")
		return
	}
	for _, constraint := range s.StringFaults(text) {
		f.Add(path, text, constraint)
	}
}

// StringFaults returns the constraints that text violates.
func (s *Shape) StringFaults(text string) (constraints []string) {
	if s.Enum != nil && !slices.Contains(s.Enum, text) {
		constraints = append(constraints, "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
	}
	if c := s.Bounds.lengthFault(utf8.RuneCountInString(text)); c != "" {
		constraints = append(constraints, c)
	}
	if s.Pattern != nil && !s.Pattern.MatchString(text) {
		constraints = append(constraints, "Member must satisfy regular expression pattern: "+s.Source)
	}
	return constraints
}

func (b *Bounds) lengthFault(n int) string {
	switch {
	case b.HasMax && float64(n) > b.Max:
		return "Member must have length less than or equal to " + number(b.Max)
	case b.HasMin && float64(n) < b.Min:
		return "Member must have length greater than or equal to " + number(b.Min)
	}
	return ""
}

func (b *Bounds) valueFault(v float64) string {
	switch {
	case b.HasMax && v > b.Max:
		return "Member must have value less than or equal to " + number(b.Max)
	case b.HasMin && v < b.Min:
		return "Member must have value greater than or equal to " + number(b.Min)
	}
	return ""
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (s *Shape) checkNumber(f *Faults, path string, value any) {
	n, ok := value.(json.Number)
	if !ok {
		f.Add(path, value, "Member must be a number")
		return
	}
	v, err := n.Float64()
	if err != nil || math.IsInf(v, 0) {
		f.Add(path, value, "Member must be a number")
		return
	}
	if s.Kind == KindInteger || s.Kind == KindLong {
		bits := 64
		if s.Kind == KindInteger {
			bits = 32
		}
		if _, err := strconv.ParseInt(n.String(), 10, bits); err != nil {
			f.Add(path, value, fmt.Sprintf("Member must be an integer of %d bits", bits))
			return
		}
	}
	if c := s.Bounds.valueFault(v); c != "" {
		f.Add(path, value, c)
	}
}

func (s *Shape) checkList(f *Faults, path string, value any) any {
	list, ok := value.([]any)
	if !ok {
		f.Add(path, value, "Member must be a list")
		return nil
	}
	if c := s.Bounds.lengthFault(len(list)); c != "" {
		f.Add(path, value, c)
	}
	clean := make([]any, len(list))
	for i, element := range list {
		clean[i] = s.Element.Check(f, path+"."+strconv.Itoa(i+1)+".member", element)
	}
	return clean
}

func (s *Shape) checkMap(f *Faults, path string, value any) any {
	m, ok := value.(map[string]any)
	if !ok {
		f.Add(path, value, "Member must be a map")
		return nil
	}
	if c := s.Bounds.lengthFault(len(m)); c != "" {
		f.Add(path, value, c)
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		element := m[key]
		if constraints := s.Key.StringFaults(key); constraints != nil {
			f.Add(path, key, "Map keys must satisfy constraint: ["+strings.Join(constraints, ", ")+"]")
		}
		text, ok := element.(string)
		if !ok { // the values of all maps of the model are strings
			f.Add(path, element, "Map value must satisfy constraint: [Member must be a string]")
		} else if constraints := s.Element.StringFaults(text); constraints != nil {
			f.Add(path, text, "Map value must satisfy constraint: ["+strings.Join(constraints, ", ")+"]")
		}
	}
	return m
}

func (s *Shape) checkStructure(f *Faults, path string, value any) any {
	given, ok := value.(map[string]any)
	if !ok {
		f.Add(path, value, "Member must be a structure")
		return nil
	}
	clean := make(map[string]any, len(given))
	for i := range s.Members {
		m := &s.Members[i]
		v := given[m.Name]
		if v == nil && !m.Required {
			continue
		}
		clean[m.Name] = m.Shape.Check(f, path+"."+m.Name, v)
	}
	return clean
}
