package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jobgate/gateway/jobs/api/model"
)

// smithyModel is the compared part of a model from which AWS SDKs are generated, in Smithy's JSON AST
// (https://smithy.io/2.0/spec/json-ast.html).
type smithyModel struct {
	Version string                 `json:"smithy"`
	Shapes  map[string]smithyShape `json:"shapes"` // by absolute id, "com.amazonaws.iot#JobId"
}

type smithyShape struct {
	Type    string                  `json:"type"`
	Input   *smithyMember           `json:"input"`
	Output  *smithyMember           `json:"output"`
	Errors  []smithyMember          `json:"errors"`
	Members map[string]smithyMember `json:"members"`
	Member  *smithyMember           `json:"member"`
	Key     *smithyMember           `json:"key"`
	Value   *smithyMember           `json:"value"`
	Traits  smithyTraits            `json:"traits"`
}

type smithyMember struct {
	Target string       `json:"target"`
	Traits smithyTraits `json:"traits"`
}

type smithyTraits struct {
	HTTP *struct {
		Method string `json:"method"`
		URI    string `json:"uri"`
	} `json:"smithy.api#http"`
	HTTPError int              `json:"smithy.api#httpError"`
	Label     *struct{}        `json:"smithy.api#httpLabel"`
	Query     string           `json:"smithy.api#httpQuery"`
	JSONName  string           `json:"smithy.api#jsonName"`
	Required  *struct{}        `json:"smithy.api#required"`
	Length    *smithyBounds    `json:"smithy.api#length"`
	Range     *smithyBounds    `json:"smithy.api#range"`
	Pattern   string           `json:"smithy.api#pattern"`
	EnumValue *json.RawMessage `json:"smithy.api#enumValue"`
	Enum      []struct {       // of a string, in Smithy 1.0
		Value string `json:"value"`
	} `json:"smithy.api#enum"`
}

type smithyBounds struct {
	Min *float64 `json:"min"`
	Max *float64 `json:"max"`
}

// smithyKinds are Smithy's types. The prelude has the same with the prefix "smithy.api#".
var smithyKinds = map[string]model.Kind{
	"string": model.KindString, "enum": model.KindString, "blob": model.KindString, "boolean": model.KindBoolean,
	"byte": model.KindInteger, "short": model.KindInteger, "integer": model.KindInteger, "intEnum": model.KindInteger, "long": model.KindLong,
	"float": model.KindDouble, "double": model.KindDouble, "timestamp": model.KindTimestamp,
	"list": model.KindList, "set": model.KindList, "map": model.KindMap, "structure": model.KindStructure, "union": model.KindStructure,
}

// smithy converts a model to operations.
type smithy struct {
	smithyModel
	done map[string]*model.Shape // by id; a shape may contain itself
}

// isSmithy reports whether text is a Smithy model.
func isSmithy(text []byte) bool {
	var head struct {
		Version string `json:"smithy"`
	}
	return json.Unmarshal(text, &head) == nil && head.Version != ""
}

// parseSmithy reads a Smithy model in JSON.
func parseSmithy(text []byte) (map[string]*model.Operation, error) {
	s := smithy{done: map[string]*model.Shape{}}
	if err := json.Unmarshal(text, &s.smithyModel); err != nil {
		return nil, fmt.Errorf("cannot read the Smithy model: %w", err)
	}
	operations := make(map[string]*model.Operation)
	for id, shape := range s.Shapes {
		if shape.Type != "operation" || shape.Traits.HTTP == nil {
			continue
		}
		path, _, _ := strings.Cut(shape.Traits.HTTP.URI, "?")
		op := &model.Operation{
			Name: nameOf(id), Method: shape.Traits.HTTP.Method,
			Segments: strings.Split(strings.TrimPrefix(path, "/"), "/"), Exceptions: map[string]int{},
		}
		for _, e := range shape.Errors {
			op.Exceptions[strings.TrimSuffix(nameOf(e.Target), "Exception")] = s.Shapes[e.Target].Traits.HTTPError
		}
		var err error
		if op.Input, err = s.target(shape.Input); err != nil {
			return nil, fmt.Errorf("%s: %w", op.Name, err)
		}
		if op.Output, err = s.target(shape.Output); err != nil {
			return nil, fmt.Errorf("%s: %w", op.Name, err)
		}
		operations[op.Name] = op
	}
	return operations, nil
}

// nameOf returns the name in an absolute id.
func nameOf(id string) string { return id[strings.IndexByte(id, '#')+1:] }

// target returns the members of an input or an output.
func (s *smithy) target(m *smithyMember) ([]model.Member, error) {
	if m == nil || m.Target == "smithy.api#Unit" {
		return nil, nil
	}
	shape, ok := s.Shapes[m.Target]
	if !ok {
		return nil, fmt.Errorf("shape %s is not in the file", m.Target)
	}
	return s.members(shape.Members)
}

// members returns the members by name, with their names on the wire.
func (s *smithy) members(of map[string]smithyMember) (list []model.Member, err error) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		from := of[name]
		m := model.Member{Name: name, Required: from.Traits.Required != nil}
		switch {
		case from.Traits.Label != nil:
			m.Place = "uri"
		case from.Traits.Query != "":
			m.Place, m.Name = "query", from.Traits.Query
		case from.Traits.JSONName != "":
			m.Name = from.Traits.JSONName
		}
		if m.Shape, err = s.member(&from); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, m)
	}
	return list, nil
}

// member returns a member's type. The member's own traits override its type's.
func (s *smithy) member(m *smithyMember) (*model.Shape, error) {
	if m == nil {
		return nil, nil
	}
	shape, err := s.shape(m.Target)
	if err != nil {
		return nil, err
	}
	if t := &m.Traits; t.Length != nil || t.Range != nil || t.Pattern != "" {
		own := *shape
		t.constrain(&own)
		return &own, nil
	}
	return shape, nil
}

func (s *smithy) shape(id string) (*model.Shape, error) {
	if done := s.done[id]; done != nil {
		return done, nil
	}
	from, ok := s.Shapes[id]
	if !ok { // the prelude's: smithy.api#String, smithy.api#PrimitiveLong
		name := strings.TrimPrefix(strings.TrimPrefix(id, "smithy.api#"), "Primitive")
		from.Type = strings.ToLower(name[:1]) + name[1:]
		ok = strings.HasPrefix(id, "smithy.api#")
	}
	kind, known := smithyKinds[from.Type]
	if !ok || !known {
		return nil, fmt.Errorf("shape %s has the unknown type %q", id, from.Type)
	}
	shape := &model.Shape{Kind: kind, Enum: from.words()}
	from.Traits.constrain(shape)
	s.done[id] = shape
	element := from.Member
	if kind == model.KindMap {
		element = from.Value
	}
	var err error
	if shape.Element, err = s.member(element); err != nil {
		return nil, err
	}
	if shape.Key, err = s.member(from.Key); err != nil {
		return nil, err
	}
	if kind == model.KindStructure {
		shape.Members, err = s.members(from.Members)
	}
	return shape, err
}

// words returns the values of an enumeration.
func (s *smithyShape) words() (list []string) {
	for _, e := range s.Traits.Enum {
		list = append(list, e.Value)
	}
	if s.Type != "enum" {
		return list
	}
	for name, m := range s.Members {
		word := name // without the trait, a member's value is its name
		if m.Traits.EnumValue != nil {
			if json.Unmarshal(*m.Traits.EnumValue, &word) != nil {
				word = string(*m.Traits.EnumValue)
			}
		}
		list = append(list, word)
	}
	return list
}

// constrain applies the traits' constraints to a type.
func (t *smithyTraits) constrain(shape *model.Shape) {
	for _, b := range []*smithyBounds{t.Length, t.Range} {
		if b == nil {
			continue
		}
		shape.Bounds = model.Bounds{}
		if b.Min != nil {
			shape.Bounds.Min, shape.Bounds.HasMin = *b.Min, true
		}
		if b.Max != nil {
			shape.Bounds.Max, shape.Bounds.HasMax = *b.Max, true
		}
	}
	if t.Pattern != "" {
		shape.Source = t.Pattern
	}
}
