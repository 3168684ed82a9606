package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/wire"
)

// Input is an operation's validated input, without members unknown to its model.
type Input struct {
	values map[string]any // as decoded by encoding/json with UseNumber
}

// Read collects and validates an operation's input: variables of the path by name, the query and the body.
func (op *Operation) Read(variables map[string]string, query *fasthttp.Args, body []byte) (Input, *exception.Exception) {
	in := Input{values: make(map[string]any, len(op.Input))}
	members, err := op.decodeBody(body)
	if err != nil {
		return in, err
	}
	var f Faults
	for i := range op.Input {
		m := &op.Input[i]
		var value any
		switch m.Place {
		case "uri":
			value = m.Shape.fromText(variables[m.Name])
		case "query":
			if query.Has(m.Name) {
				value = m.Shape.fromText(string(query.Peek(m.Name)))
			}
		default:
			value = members[m.Name]
			if text, isText := value.(string); isText && op.Quoted {
				value = m.Shape.fromText(text)
			}
		}
		if value != nil || m.Required {
			in.values[m.Name] = m.Shape.Check(&f, m.Name, value)
		}
	}
	return in, f.Exception()
}

// fromText converts a value of the path or the query as a JSON decoder would.
func (s *Shape) fromText(text string) any {
	switch s.Kind {
	case KindBoolean:
		if text == "true" || text == "false" {
			return text == "true"
		}
	case KindInteger, KindLong, KindDouble:
		if json.Valid([]byte(text)) && text[0] != '"' { // an invalid number is rejected by its check
			return json.Number(text)
		}
	}
	return text
}

// decodeBody decodes the members of a body. An empty body has no members.
func (op *Operation) decodeBody(body []byte) (map[string]any, *exception.Exception) {
	if !op.HasBody() || len(body) == 0 {
		return nil, nil
	}
	if !utf8.Valid(body) {
		return nil, exception.InvalidRequest("The request body is not UTF-8.")
	}
	if wire.HalfSurrogate(body) {
		return nil, exception.InvalidRequest("The request body holds half of a surrogate pair.")
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil || members == nil {
		return nil, exception.InvalidRequest("The request body is not a JSON object.")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, exception.InvalidRequest("The request body is more than a JSON object.")
	}
	return members, nil
}

// HasBody reports whether the input has members in the body.
func (op *Operation) HasBody() bool {
	for i := range op.Input {
		if op.Input[i].Place == "" {
			return true
		}
	}
	return false
}

// Has reports whether a member was given.
func (in Input) Has(name string) bool { return in.values[name] != nil }

// Text returns a string, "" if it was not given.
func (in Input) Text(name string) string {
	s, _ := in.values[name].(string)
	return s
}

// Flag returns a boolean, otherwise if it was not given.
func (in Input) Flag(name string, otherwise bool) bool {
	if b, ok := in.values[name].(bool); ok {
		return b
	}
	return otherwise
}

// Long returns an integer, 0 if it was not given.
func (in Input) Long(name string) int64 {
	n, _ := in.values[name].(json.Number)
	v, _ := n.Int64() // checked
	return v
}

// ExpectedVersion returns the expected version, 0 if none was given. A given version below 1 matches none, as versions begin
// at 1.
func (in Input) ExpectedVersion() int64 {
	v := in.Long("expectedVersion")
	if in.Has("expectedVersion") && v < 1 {
		return jobs.NoVersion
	}
	return v
}

// Texts returns a list of strings, nil if it was not given.
func (in Input) Texts(name string) []string {
	list, _ := in.values[name].([]any)
	if list == nil {
		return nil
	}
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i], _ = v.(string)
	}
	return texts
}

// Pairs returns a map of strings, nil if it was not given.
func (in Input) Pairs(name string) map[string]string {
	m, _ := in.values[name].(map[string]any)
	if m == nil {
		return nil
	}
	pairs := make(map[string]string, len(m))
	for k, v := range m {
		pairs[k], _ = v.(string)
	}
	return pairs
}

// Double returns a number, 0 if it was not given.
func (in Input) Double(name string) float64 {
	n, _ := in.values[name].(json.Number)
	v, _ := n.Float64() // checked
	return v
}

// Structure returns a structure's members; given is false if it was not given.
func (in Input) Structure(name string) (members Input, given bool) {
	m, given := in.values[name].(map[string]any)
	return Input{m}, given
}

// Structures returns a list of structures, nil if it was not given.
func (in Input) Structures(name string) []Input {
	list, _ := in.values[name].([]any)
	if list == nil {
		return nil
	}
	structures := make([]Input, len(list))
	for i, v := range list {
		structures[i].values, _ = v.(map[string]any)
	}
	return structures
}

// AppendWithout appends the input as JSON without the named members. Equal inputs give equal bytes.
func (in Input) AppendWithout(dst []byte, names ...string) []byte {
	members := make(map[string]any, len(in.values))
	for name, v := range in.values {
		if !slices.Contains(names, name) {
			members[name] = v
		}
	}
	text, err := json.Marshal(members) // keys are sorted
	if err != nil {                    // values decoded from JSON can be encoded
		return dst
	}
	return append(dst, text...)
}
