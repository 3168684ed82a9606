package api

import (
	_ "embed" // the model texts
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

//go:embed model/control.txt
var controlText string

//go:embed model/data.txt
var dataText string

//go:embed model/absent.txt
var absentText string

// The models are read once, when first used, and never change. Faults in them are found by the package's tests.
var (
	controlModel = sync.OnceValues(func() (*model, error) { return parseModel(controlText) })
	dataModel    = sync.OnceValues(func() (*model, error) {
		m, err := parseModel(dataText)
		if err == nil {
			for _, op := range m.operations {
				op.quoted = true
			}
		}
		return m, err
	})
	absentModel = sync.OnceValues(func() (*model, error) { return parseModel(absentText) })
)

// model is a plane's operations, in the order of the text.
type model struct {
	operations []*operation
	shapes     map[string]*shape
}

// operation is one operation's interface.
type operation struct {
	name       string
	method     string
	segments   []string // of the path; "{name}" stands for any one
	input      []member
	output     []member
	exceptions map[string]int // status by name, without the suffix "Exception"
	quoted     bool           // numbers and booleans of the body may stand in quotes, as AWS's device library writes them
}

// member is a member of an input, an output or a structure.
type member struct {
	name     string
	place    string // "uri", "query", or "" for the body
	required bool
	shape    *shape
}

// kind is what a shape's values are.
type kind uint8

const (
	kindString kind = iota
	kindBoolean
	kindInteger // 32 bits
	kindLong    // 64 bits
	kindDouble
	kindTimestamp
	kindList
	kindMap
	kindStructure
)

var kindNames = map[string]kind{
	"string": kindString, "boolean": kindBoolean, "integer": kindInteger, "long": kindLong,
	"double": kindDouble, "timestamp": kindTimestamp,
}

// shape is a type and what holds for its values.
type shape struct {
	kind    kind
	bounds  bounds         // of the value, or of its length
	pattern *regexp.Regexp // matches the whole of a string
	source  string         // the pattern as AWS writes it
	enum    []string
	key     *shape // of a map
	element *shape // of a list or a map
	members []member
}

// bounds are the least and the most, where there is one.
type bounds struct {
	min, max       float64
	hasMin, hasMax bool
}

// parseModel reads a model text; model/control.txt says how it is written.
func parseModel(text string) (*model, error) {
	m := &model{shapes: map[string]*shape{}}
	for line := range strings.Lines(text) { // structures may be named before they are described
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "shape "); ok {
			m.shapes[name] = &shape{kind: kindStructure}
		}
	}
	var op *operation
	var structure *shape
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		var err error
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "shape "):
			op, structure = nil, m.shapes[line[len("shape "):]]
		case line[0] != ' ':
			op, err = parseOperation(line)
			structure, m.operations = nil, append(m.operations, op)
		case op != nil:
			err = m.addToOperation(op, strings.TrimSpace(line))
		case structure != nil:
			structure.members, err = m.addMember(structure.members, strings.TrimSpace(line))
		default:
			err = fmt.Errorf("%q belongs to nothing", line)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the model, line %d: %w", number, err)
		}
	}
	return m, nil
}

func parseOperation(line string) (*operation, error) {
	f := strings.Fields(line)
	if len(f) != 3 || f[2][0] != '/' {
		return nil, fmt.Errorf("%q is not an operation, a method and a path", line)
	}
	return &operation{name: f[0], method: f[1], segments: strings.Split(f[2][1:], "/"), exceptions: map[string]int{}}, nil
}

func (m *model) addToOperation(op *operation, line string) error {
	what, rest, _ := strings.Cut(line, " ")
	var err error
	switch what {
	case "in":
		op.input, err = m.addMember(op.input, rest)
	case "out":
		op.output, err = m.addMember(op.output, rest)
	case "err":
		for exception := range strings.SplitSeq(rest, ", ") {
			name, status, _ := strings.Cut(exception, " ")
			if op.exceptions[name], err = strconv.Atoi(status); err != nil {
				return fmt.Errorf("%q is not an exception and a status", exception)
			}
		}
	default:
		err = fmt.Errorf("%q begins with none of in, out, err", line)
	}
	return err
}

// addMember reads "NAME[*] [uri|query]: TYPE".
func (m *model) addMember(list []member, line string) ([]member, error) {
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
	return append(list, member{name: name, place: place, required: required, shape: s}), nil
}

// parseType reads a type, and returns what follows it.
func (m *model) parseType(text string) (s *shape, rest string, err error) {
	if strings.HasPrefix(text, "[") {
		return parseStringType(text)
	}
	end := strings.IndexAny(text, "<>, ")
	if end < 0 {
		end = len(text)
	}
	name, rest := text[:end], text[end:]
	if known, ok := m.shapes[name]; ok {
		return known, rest, nil
	}
	s = &shape{}
	switch k, ok := kindNames[name]; {
	case ok:
		s.kind = k
	case name == "list":
		s.kind = kindList
		if s.element, rest, err = m.parseElement(rest, "<"); err == nil {
			rest, err = cut(rest, ">")
		}
	case name == "map":
		s.kind = kindMap
		if s.key, rest, err = m.parseElement(rest, "<"); err == nil {
			s.element, rest, err = m.parseElement(rest, ",")
		}
		if err == nil {
			rest, err = cut(rest, ">")
		}
	default:
		err = fmt.Errorf("type %q is not known", name)
	}
	if text, ok := strings.CutPrefix(rest, " ["); ok && err == nil {
		inside, after, _ := strings.Cut(text, "]")
		s.bounds, err = parseBounds(inside)
		rest = after
	}
	return s, rest, err
}

func (m *model) parseElement(text, before string) (*shape, string, error) {
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

// javaClasses turns the classes of Java's patterns that Go does not know into ranges; they stand within brackets.
var javaClasses = strings.NewReplacer(`\p{Upper}`, `A-Z`, `\p{Digit}`, `0-9`)

// parseStringType reads "[MIN..MAX `PATTERN`]" or "[A|B]".
func parseStringType(text string) (*shape, string, error) {
	s := &shape{kind: kindString}
	inside, rest, _ := strings.Cut(text[1:], "]")
	var err error
	if before, after, ok := strings.Cut(text[1:], "`"); ok && len(before) < len(inside) {
		s.source, rest, _ = strings.Cut(after, "`")
		if s.pattern, err = regexp.Compile(`\A(?:` + javaClasses.Replace(s.source) + `)\z`); err != nil {
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
		s.bounds, err = parseBounds(inside)
	default:
		s.enum = strings.Split(inside, "|")
	}
	return s, rest, err
}

// parseBounds reads "MIN..MAX", either of which may be missing.
func parseBounds(text string) (b bounds, err error) {
	least, most, ok := strings.Cut(text, "..")
	if !ok {
		return b, fmt.Errorf("%q is not a range", text)
	}
	if b.hasMin = least != ""; b.hasMin {
		if b.min, err = strconv.ParseFloat(least, 64); err != nil {
			return b, fmt.Errorf("%q is not a range", text)
		}
	}
	if b.hasMax = most != ""; b.hasMax {
		if b.max, err = strconv.ParseFloat(most, 64); err != nil {
			return b, fmt.Errorf("%q is not a range", text)
		}
	}
	return b, nil
}
