package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"jobgate/gateway/jobs/api/model"
)

// service is the compared part of botocore's service-2.json.
type service struct {
	Operations map[string]struct {
		HTTP struct {
			Method     string `json:"method"`
			RequestURI string `json:"requestUri"`
		} `json:"http"`
		Input  *reference  `json:"input"`
		Output *reference  `json:"output"`
		Errors []reference `json:"errors"`
	} `json:"operations"`
	Shapes map[string]shape `json:"shapes"`
}

type reference struct {
	Shape        string `json:"shape"`
	Location     string `json:"location"`
	LocationName string `json:"locationName"`
}

type shape struct {
	Type     string               `json:"type"`
	Required []string             `json:"required"`
	Members  map[string]reference `json:"members"`
	Member   *reference           `json:"member"`
	Key      *reference           `json:"key"`
	Value    *reference           `json:"value"`
	Min      *float64             `json:"min"`
	Max      *float64             `json:"max"`
	Pattern  string               `json:"pattern"`
	Enum     []string             `json:"enum"`
	Error    struct {
		Status int `json:"httpStatusCode"`
	} `json:"error"`
}

// kinds are botocore's types.
var kinds = map[string]model.Kind{
	"string": model.KindString, "boolean": model.KindBoolean, "integer": model.KindInteger, "long": model.KindLong,
	"float": model.KindDouble, "double": model.KindDouble, "timestamp": model.KindTimestamp, "list": model.KindList,
	"map": model.KindMap, "structure": model.KindStructure, "blob": model.KindString,
}

// botocore converts a service to operations.
type botocore struct {
	service
	done map[string]*model.Shape // by name; a shape may contain itself
}

// parseBotocore reads a service-2.json.
func parseBotocore(text []byte) (map[string]*model.Operation, error) {
	b := botocore{done: map[string]*model.Shape{}}
	if err := json.Unmarshal(text, &b.service); err != nil {
		return nil, fmt.Errorf("cannot read the model: %w", err)
	}
	operations := make(map[string]*model.Operation, len(b.Operations))
	for name, o := range b.Operations {
		path, _, _ := strings.Cut(o.HTTP.RequestURI, "?")
		op := &model.Operation{
			Name: name, Method: o.HTTP.Method, Segments: strings.Split(strings.TrimPrefix(path, "/"), "/"), Exceptions: map[string]int{},
		}
		for _, e := range o.Errors {
			op.Exceptions[strings.TrimSuffix(e.Shape, "Exception")] = b.Shapes[e.Shape].Error.Status
		}
		var err error
		if op.Input, err = b.members(o.Input); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if op.Output, err = b.members(o.Output); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		operations[name] = op
	}
	return operations, nil
}

// members returns the members of a structure, by name.
func (b *botocore) members(r *reference) (list []model.Member, err error) {
	if r == nil {
		return nil, nil
	}
	s := b.Shapes[r.Shape]
	for _, name := range slices.Sorted(maps.Keys(s.Members)) {
		of := s.Members[name]
		m := model.Member{Name: name, Required: slices.Contains(s.Required, name)}
		switch of.Location {
		case "uri":
			m.Place = "uri"
		case "querystring":
			m.Place = "query"
		}
		if m.Place != "" && of.LocationName != "" {
			m.Name = of.LocationName
		}
		if m.Shape, err = b.shape(of.Shape); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func (b *botocore) shape(name string) (*model.Shape, error) {
	if s := b.done[name]; s != nil {
		return s, nil
	}
	from, ok := b.Shapes[name]
	kind, known := kinds[from.Type]
	if !ok || !known {
		return nil, fmt.Errorf("shape %s has the unknown type %q", name, from.Type)
	}
	s := &model.Shape{Kind: kind, Source: from.Pattern, Enum: from.Enum}
	b.done[name] = s
	if from.Min != nil {
		s.Bounds.Min, s.Bounds.HasMin = *from.Min, true
	}
	if from.Max != nil {
		s.Bounds.Max, s.Bounds.HasMax = *from.Max, true
	}
	element := from.Member
	if kind == model.KindMap {
		element = from.Value
	}
	var err error
	if element != nil {
		if s.Element, err = b.shape(element.Shape); err != nil {
			return nil, err
		}
	}
	if from.Key != nil {
		if s.Key, err = b.shape(from.Key.Shape); err != nil {
			return nil, err
		}
	}
	if kind == model.KindStructure {
		s.Members, err = b.members(&reference{Shape: name})
	}
	return s, err
}
