package plan

import (
	"encoding/json"
	"strconv"
)

// Take captures the step's values from an answer into a flow's slots. A value that is
// missing, or that is not allowed in a path, leaves its slot nil.
func (s *CompiledStep) Take(body []byte, captured [][]byte) {
	for _, c := range s.capture {
		captured[c.slot] = lookup(body, c.path)
	}
}

// lookup returns the string or number at path in a JSON document: members by name,
// elements by number. It returns nil if there is none, or if it has characters that
// are not allowed in a name.
func lookup(body []byte, path []string) []byte {
	value := json.RawMessage(body)
	for _, key := range path {
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		if json.Unmarshal(value, &members) == nil {
			value = members[key]
			continue
		}
		i, err := strconv.Atoi(key)
		if err != nil || json.Unmarshal(value, &elements) != nil || i < 0 || i >= len(elements) {
			return nil
		}
		value = elements[i]
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		var number json.Number
		if json.Unmarshal(value, &number) != nil {
			return nil
		}
		text = number.String()
	}
	if text == "" || len(text) > 128 {
		return nil
	}
	for _, c := range []byte(text) {
		if !nameByte(c) {
			return nil
		}
	}
	return []byte(text)
}

// Captures reports whether the step captures values of its answer.
func (s *CompiledStep) Captures() bool { return len(s.capture) > 0 }
