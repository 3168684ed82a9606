// Package model holds AWS's own model of the IoT Jobs API, as text, and validates inputs with it.
//
//	control.txt, data.txt, own.txt ─► Parse ─► Operation ─► Read (path, query, body) ─► Input, or an InvalidRequestException
//	absent.txt                     ─► names of the operations that are not implemented
//
// Lengths, patterns, enumerations and ranges of members are defined in these texts and nowhere else in the API. Package jobs
// checks combinations of members.
package model

import (
	_ "embed" // the model texts
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed control.txt
var controlText string

//go:embed data.txt
var dataText string

//go:embed own.txt
var ownText string

//go:embed absent.txt
var absentText string

// The models are parsed once, on first use, and are immutable. The package's tests find errors in them.
var (
	control = sync.OnceValues(func() (*Model, error) { return Parse(controlText) })
	data    = sync.OnceValues(func() (*Model, error) {
		m, err := Parse(dataText)
		if err == nil {
			for _, op := range m.Operations {
				op.Quoted = true
			}
		}
		return m, err
	})
	own    = sync.OnceValues(func() (*Model, error) { return Parse(ownText) })
	absent = sync.OnceValues(func() (*Model, error) { return Parse(absentText) })
)

// Control returns the control plane's operations.
func Control() (*Model, error) { return control() }

// Data returns the data plane's operations.
func Data() (*Model, error) { return data() }

// Own returns the operations of the control listener that AWS does not have. Their paths begin with /-/.
func Own() (*Model, error) { return own() }

// Absent returns the operations of AWS's control plane that the gateway does not implement: their names and paths.
func Absent() (*Model, error) { return absent() }

// Model holds a plane's operations, in the order of the text. It is deeply immutable.
type Model struct {
	Operations []*Operation
	Shapes     map[string]*Shape
}

// Operation is one operation's interface.
type Operation struct {
	Name       string
	Method     string
	Segments   []string // of the path; "{name}" stands for any one
	Input      []Member
	Output     []Member
	Exceptions map[string]int // status by name, without the suffix "Exception"
	Reads      bool           // changes nothing, with any method
	Quoted     bool           // numbers and booleans in the body may be quoted, as AWS's device library writes them
}

// Matches reports whether a method and a path's segments match op.
func (op *Operation) Matches(method string, segments []string) bool {
	if op.Method != method || len(op.Segments) != len(segments) {
		return false
	}
	for i, s := range op.Segments {
		if s[0] != '{' && s != segments[i] || segments[i] == "" {
			return false
		}
	}
	return true
}

// Changes reports whether the operation changes something.
func (op *Operation) Changes() bool { return op.Method != http.MethodGet && !op.Reads }

// Variables returns the path's variables by name.
func (op *Operation) Variables(segments []string) map[string]string {
	v := make(map[string]string)
	for i, s := range op.Segments {
		if s[0] == '{' {
			v[strings.Trim(s, "{}")] = segments[i]
		}
	}
	return v
}

// Member is a member of an input, an output or a structure.
type Member struct {
	Name     string
	Place    string // "uri", "query", or "" for the body
	Required bool
	Shape    *Shape
}

// Kind is the type of a shape's values.
type Kind uint8

// The kinds.
const (
	KindString Kind = iota
	KindBoolean
	KindInteger // 32 bits
	KindLong    // 64 bits
	KindDouble
	KindTimestamp
	KindList
	KindMap
	KindStructure
)

// String returns the kind's name in the model texts.
func (k Kind) String() string {
	return [...]string{"string", "boolean", "integer", "long", "double", "timestamp", "list", "map", "structure"}[k]
}

var kindNames = map[string]Kind{
	"string": KindString, "boolean": KindBoolean, "integer": KindInteger, "long": KindLong,
	"double": KindDouble, "timestamp": KindTimestamp,
}

// Shape is a type with the constraints on its values.
type Shape struct {
	Kind    Kind
	Bounds  Bounds         // of the value, or of its length in characters or elements
	Pattern *regexp.Regexp // matches the whole of a string; nil: any
	Source  string         // the pattern in AWS's spelling
	Enum    []string
	Key     *Shape // of a map
	Element *Shape // of a list or a map
	Members []Member
}

// Bounds are an optional minimum and maximum.
type Bounds struct {
	Min, Max       float64
	HasMin, HasMax bool
}

// Parse parses a model text; control.txt describes the format.
func Parse(text string) (*Model, error) {
	m := &Model{Shapes: map[string]*Shape{}}
	for line := range strings.Lines(text) { // structures may be used before they are defined
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "shape "); ok {
			m.Shapes[name] = &Shape{Kind: KindStructure}
		}
	}
	var op *Operation
	var structure *Shape
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		var err error
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "shape "):
			op, structure = nil, m.Shapes[line[len("shape "):]]
		case line[0] != ' ':
			op, err = parseOperation(line)
			structure, m.Operations = nil, append(m.Operations, op)
		case op != nil:
			err = m.addToOperation(op, strings.TrimSpace(line))
		case structure != nil:
			structure.Members, err = m.addMember(structure.Members, strings.TrimSpace(line))
		default:
			err = fmt.Errorf("%q belongs to nothing", line)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the model, line %d: %w", number, err)
		}
	}
	return m, nil
}

func parseOperation(line string) (*Operation, error) {
	f := strings.Fields(line)
	if len(f) != 3 || f[2][0] != '/' {
		return nil, fmt.Errorf("%q is not an operation, a method and a path", line)
	}
	return &Operation{Name: f[0], Method: f[1], Segments: strings.Split(f[2][1:], "/"), Exceptions: map[string]int{}}, nil
}

func (m *Model) addToOperation(op *Operation, line string) error {
	what, rest, _ := strings.Cut(line, " ")
	var err error
	switch what {
	case "reads":
		op.Reads = true
	case "in":
		op.Input, err = m.addMember(op.Input, rest)
	case "out":
		op.Output, err = m.addMember(op.Output, rest)
	case "err":
		for exception := range strings.SplitSeq(rest, ", ") {
			name, status, _ := strings.Cut(exception, " ")
			if op.Exceptions[name], err = strconv.Atoi(status); err != nil {
				return fmt.Errorf("%q is not an exception and a status", exception)
			}
		}
	default:
		err = fmt.Errorf("%q begins with none of reads, in, out, err", line)
	}
	return err
}

// addMember parses "NAME[*] [uri|query]: TYPE".
func (m *Model) addMember(list []Member, line string) ([]Member, error) {
	head, text, ok := strings.Cut(line, ": ")
	if !ok {
		return nil, fmt.Errorf("%q is not a name and a type", line)
	}
	name, place, _ := strings.Cut(head, " ")
	name, required := strings.CutSuffix(name, "*")
	s, rest, err := m.parseType(text)
	if err != nil {
		return nil, err
	}
	if rest != "" {
		return nil, fmt.Errorf("%q follows a type", rest)
	}
	return append(list, Member{Name: name, Place: place, Required: required, Shape: s}), nil
}

// parseType parses a type, and returns the rest of the text.
func (m *Model) parseType(text string) (s *Shape, rest string, err error) {
	if strings.HasPrefix(text, "[") {
		return parseStringType(text)
	}
	end := strings.IndexAny(text, "<>, ")
	if end < 0 {
		end = len(text)
	}
	name, rest := text[:end], text[end:]
	if known, ok := m.Shapes[name]; ok {
		return known, rest, nil
	}
	s = &Shape{}
	switch k, ok := kindNames[name]; {
	case ok:
		s.Kind = k
	case name == "list":
		s.Kind = KindList
		if s.Element, rest, err = m.parseElement(rest, "<"); err == nil {
			rest, err = cut(rest, ">")
		}
	case name == "map":
		s.Kind = KindMap
		if s.Key, rest, err = m.parseElement(rest, "<"); err == nil {
			s.Element, rest, err = m.parseElement(rest, ",")
		}
		if err == nil {
			rest, err = cut(rest, ">")
		}
	default:
		err = fmt.Errorf("type %q is not known", name)
	}
	if text, ok := strings.CutPrefix(rest, " ["); ok && err == nil {
		inside, after, _ := strings.Cut(text, "]")
		s.Bounds, err = parseBounds(inside)
		rest = after
	}
	return s, rest, err
}

func (m *Model) parseElement(text, before string) (*Shape, string, error) {
	text, err := cut(text, before)
	if err != nil {
		return nil, "", err
	}
	return m.parseType(text)
}

func cut(text, prefix string) (string, error) {
	rest, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return "", fmt.Errorf("%q does not begin with %q", text, prefix)
	}
	return rest, nil
}

// javaClasses replaces Java's character classes that Go lacks by ranges; they occur within brackets.
var javaClasses = strings.NewReplacer(`\p{Upper}`, `A-Z`, `\p{Digit}`, `0-9`)

// parseStringType parses "[MIN..MAX `PATTERN`]" or "[A|B]".
func parseStringType(text string) (*Shape, string, error) {
	s := &Shape{Kind: KindString}
	inside, rest, _ := strings.Cut(text[1:], "]")
	var err error
	if before, after, ok := strings.Cut(text[1:], "`"); ok && len(before) < len(inside) {
		s.Source, rest, _ = strings.Cut(after, "`")
		if s.Pattern, err = regexp.Compile(`\A(?:` + javaClasses.Replace(s.Source) + `)\z`); err != nil {
			return nil, "", err
		}
		inside = strings.TrimSpace(before)
		if rest, err = cut(rest, "]"); err != nil {
			return nil, "", err
		}
	}
	switch {
	case inside == "":
	case strings.Contains(inside, ".."):
		s.Bounds, err = parseBounds(inside)
	default:
		s.Enum = strings.Split(inside, "|")
	}
	return s, rest, err
}

// parseBounds parses "MIN..MAX", either of which may be missing.
func parseBounds(text string) (b Bounds, err error) {
	least, most, ok := strings.Cut(text, "..")
	if !ok {
		return b, fmt.Errorf("%q is not a range", text)
	}
	if b.HasMin = least != ""; b.HasMin {
		if b.Min, err = strconv.ParseFloat(least, 64); err != nil {
			return b, fmt.Errorf("%q is not a range", text)
		}
	}
	if b.HasMax = most != ""; b.HasMax {
		if b.Max, err = strconv.ParseFloat(most, 64); err != nil {
			return b, fmt.Errorf("%q is not a range", text)
		}
	}
	return b, nil
}
