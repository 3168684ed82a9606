package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
)

// input is what an operation was given: validated, and nothing that its model does not know.
type input struct {
	values map[string]any // as encoding/json with UseNumber decodes them
}

// read collects and validates an operation's input: variables of the path by name, the query and the body.
func (op *operation) read(variables map[string]string, query *fasthttp.Args, body []byte) (input, *Exception) {
	in := input{values: make(map[string]any, len(op.input))}
	members, err := op.decodeBody(body)
	if err != nil {
		return in, err
	}
	var f faults
	for i := range op.input {
		m := &op.input[i]
		var value any
		switch m.place {
		case "uri":
			value = m.shape.fromText(variables[m.name])
		case "query":
			if query.Has(m.name) {
				value = m.shape.fromText(string(query.Peek(m.name)))
			}
		default:
			value = members[m.name]
			if text, isText := value.(string); isText && op.quoted {
				value = m.shape.fromText(text)
			}
		}
		if value != nil || m.required {
			in.values[m.name] = m.shape.check(&f, m.name, value)
		}
	}
	return in, f.exception()
}

// fromText returns a value of the path or the query as a JSON decoder would.
func (s *shape) fromText(text string) any {
	switch s.kind {
	case kindBoolean:
		if text == "true" || text == "false" {
			return text == "true"
		}
	case kindInteger, kindLong, kindDouble:
		if json.Valid([]byte(text)) && text[0] != '"' { // what is no number is refused by its check
			return json.Number(text)
		}
	}
	return text
}

// decodeBody decodes the members of a body. No body at all is one without members.
func (op *operation) decodeBody(body []byte) (map[string]any, *Exception) {
	if !op.hasBody() || len(body) == 0 {
		return nil, nil
	}
	if !utf8.Valid(body) {
		return nil, invalidRequest("The request body is not UTF-8.")
	}
	if halfSurrogate(body) {
		return nil, invalidRequest("The request body holds half of a surrogate pair.")
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&members); err != nil || members == nil {
		return nil, invalidRequest("The request body is not a JSON object.")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, invalidRequest("The request body is more than a JSON object.")
	}
	return members, nil
}

// halfSurrogate says whether JSON text escapes half of a surrogate pair, which is no character: encoding/json would put
// U+FFFD in its place, and a job document would not be the one that was sent.
func halfSurrogate(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		r := escaped(text[i:])
		if i++; r < 0 { // the character that is escaped is not the next escape's backslash
			continue
		}
		if i += 4; !utf16.IsSurrogate(r) {
			continue
		}
		if utf16.DecodeRune(r, escaped(text[i+1:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// escaped returns the code unit of the \uXXXX that text begins with, -1 if it does not.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

func (op *operation) hasBody() bool {
	for i := range op.input {
		if op.input[i].place == "" {
			return true
		}
	}
	return false
}

// has says whether a member was given.
func (in input) has(name string) bool { return in.values[name] != nil }

// text returns a string, "" if it was not given.
func (in input) text(name string) string {
	s, _ := in.values[name].(string)
	return s
}

// flag returns a boolean, otherwise if it was not given.
func (in input) flag(name string, otherwise bool) bool {
	if b, ok := in.values[name].(bool); ok {
		return b
	}
	return otherwise
}

// long returns an integer, 0 if it was not given.
func (in input) long(name string) int64 {
	n, _ := in.values[name].(json.Number)
	v, _ := n.Int64() // checked
	return v
}

// expectedVersion returns the version that is expected, 0 if none was given. Versions begin at 1, so that one given below
// it matches none.
func (in input) expectedVersion() int64 {
	v := in.long("expectedVersion")
	if in.has("expectedVersion") && v < 1 {
		return jobs.NoVersion
	}
	return v
}

// texts returns a list of strings, nil if it was not given.
func (in input) texts(name string) []string {
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

// pairs returns a map of strings, nil if it was not given.
func (in input) pairs(name string) map[string]string {
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

// structure returns a structure or a list of them, nil if it was not given. What it returns was checked and holds only
// what the model knows, so that decoding it cannot fail but for a T that is not the model's.
func structure[T any](in input, name string) (*T, error) {
	value := in.values[name]
	if value == nil {
		return nil, nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	v := new(T)
	return v, json.Unmarshal(text, v)
}
