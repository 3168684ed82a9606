package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"jobgate/gateway/jobs/api/model"
)

// comparison collects differences.
type comparison struct {
	list []string
	seen map[*model.Shape]bool // structures, each reported once
}

// differences returns how the API's operations differ from AWS's.
func differences(have *model.Model, aws map[string]*model.Operation) []string {
	c := comparison{seen: map[*model.Shape]bool{}}
	for _, op := range have.Operations {
		want := aws[op.Name]
		if want == nil {
			c.add(op.Name, "the file has no such operation")
			continue
		}
		if a, b := op.Method+" /"+strings.Join(op.Segments, "/"), want.Method+" /"+strings.Join(want.Segments, "/"); a != b {
			c.add(op.Name, "here %s, AWS %s", a, b)
		}
		c.members(op.Name+" in", op.Input, want.Input)
		c.members(op.Name+" out", op.Output, want.Output)
		if !maps.Equal(op.Exceptions, want.Exceptions) {
			c.add(op.Name, "exceptions here %v, AWS %v", op.Exceptions, want.Exceptions)
		}
	}
	return c.list
}

func (c *comparison) add(place, format string, args ...any) {
	c.list = append(c.list, place+": "+fmt.Sprintf(format, args...))
}

// members compares two lists of members by name.
func (c *comparison) members(place string, have, want []model.Member) {
	find := func(list []model.Member, name string) *model.Member {
		if i := slices.IndexFunc(list, func(m model.Member) bool { return m.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for i := range want {
		if find(have, want[i].Name) == nil {
			c.add(place+" "+want[i].Name, "AWS has it")
		}
	}
	for i := range have {
		m := &have[i]
		at := place + " " + m.Name
		other := find(want, m.Name)
		if other == nil {
			c.add(at, "AWS does not have it")
			continue
		}
		if m.Place != other.Place {
			c.add(at, "place here %q, AWS %q", m.Place, other.Place)
		}
		if m.Required != other.Required {
			c.add(at, "required here %v, AWS %v", m.Required, other.Required)
		}
		c.shapes(at, m.Shape, other.Shape)
	}
}

// shapes compares two types, and nested ones.
func (c *comparison) shapes(place string, have, want *model.Shape) {
	if have == nil || want == nil {
		if have != want {
			c.add(place, "only one of the two has a type inside")
		}
		return
	}
	if have.Kind != want.Kind {
		c.add(place, "type here %v, AWS %v", have.Kind, want.Kind)
		return
	}
	if a, b := boundsText(have.Bounds), boundsText(want.Bounds); a != b {
		c.add(place, "range here %s, AWS %s", a, b)
	}
	if anchored(have.Source) != anchored(want.Source) {
		c.add(place, "pattern here %s, AWS %s", have.Source, want.Source)
	}
	if a, b := slices.Sorted(slices.Values(have.Enum)), slices.Sorted(slices.Values(want.Enum)); !slices.Equal(a, b) {
		c.add(place, "words here %v, AWS %v", a, b)
	}
	c.inside(place, have, want)
}

// inside compares the nested types of a type.
func (c *comparison) inside(place string, have, want *model.Shape) {
	switch have.Kind {
	case model.KindList:
		c.shapes(place+"[]", have.Element, want.Element)
	case model.KindMap:
		c.shapes(place+" (key)", have.Key, want.Key)
		c.shapes(place+" (value)", have.Element, want.Element)
	case model.KindStructure:
		if !c.seen[have] {
			c.seen[have] = true
			c.members(place, have.Members, want.Members)
		}
	}
}

// anchored returns a pattern anchored at both ends, as in Smithy's models: botocore omits the anchors.
func anchored(pattern string) string {
	if pattern == "" || strings.HasPrefix(pattern, "^") && strings.HasSuffix(pattern, "$") {
		return pattern
	}
	return "^" + pattern + "$"
}

// boundsText returns "1..64". A minimum length of 0 is omitted.
func boundsText(b model.Bounds) string {
	text := ".."
	if b.HasMin && b.Min != 0 {
		text = fmt.Sprintf("%g..", b.Min)
	}
	if b.HasMax {
		text += fmt.Sprintf("%.0f", b.Max)
	}
	return text
}
