package strictyaml

import (
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// resolve follows anchors, aliases and tags to the node that holds the value. If that fails, it records a fault and
// returns false.
func (d *Decoder) resolve(node ast.Node, key string) (ast.Node, bool) {
	// An alias may refer to an anchor that holds an alias. The limit of ten levels stops a cycle.
	for range 10 {
		switch n := node.(type) {
		case *ast.AnchorNode:
			node = n.Value
		case *ast.AliasNode:
			anchor := d.anchor(n)
			if anchor == nil {
				d.fault(n, key, fmt.Sprintf("%s names no anchor that stands before it", n), "", "write the value itself, or define &"+n.Value.GetToken().Value+" above")
				return nil, false
			}
			node = anchor.Value
		case *ast.TagNode:
			if name := n.GetToken().Value; !coreTags[name] {
				d.fault(n, key, fmt.Sprintf("the tag %s is not supported", name), "", "write the value without a tag")
				return nil, false
			}
			node = n.Value
		default:
			return node, true
		}
	}
	d.fault(node, key, "is a circular alias", "", "write the value itself")
	return nil, false
}

// coreTags only state the type that decoding determines anyway. Other tags request substitutions, which are not supported.
var coreTags = map[string]bool{"!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!seq": true, "!!map": true}

// anchor returns the last anchor of alias's name before it (YAML 1.2 §7.1), or nil.
func (d *Decoder) anchor(alias *ast.AliasNode) *ast.AnchorNode {
	var found *ast.AnchorNode
	for _, a := range d.anchors {
		if a.Name.GetToken().Value == alias.Value.GetToken().Value && a.Start.Position.Offset < alias.Start.Position.Offset {
			found = a
		}
	}
	return found
}

// keyText returns the text of a mapping's key; false if the key is an alias, a merge (<<) or has a tag.
func keyText(node ast.MapKeyNode) (string, bool) {
	switch n := node.(type) {
	case *ast.MappingKeyNode: // ? key
		key, ok := n.Value.(ast.MapKeyNode)
		if !ok {
			return "", false
		}
		return keyText(key)
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// isQuoted reports whether node is a quoted string or a block literal.
func isQuoted(node ast.Node) bool {
	switch node.GetToken().Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		return true
	}
	_, literal := node.(*ast.LiteralNode)
	return literal
}

// note records where key was written.
func (d *Decoder) note(key string, node ast.Node) {
	if pos := position(node); pos != (Origin{}) {
		pos.File = d.File
		d.Origins[key] = pos
	}
}

// fault records a fault at node.
func (d *Decoder) fault(node ast.Node, key, problem, allowed, fix string) {
	at := position(node)
	at.File = d.File
	d.Faults = append(d.Faults, Fault{Origin: at, Key: key, Problem: problem, Allowed: allowed, Fix: fix})
}

// position returns where node begins: a mapping begins at its first key, not at the colon after it.
func position(node ast.Node) Origin {
	if values, ok := mappingValues(node); ok && len(values) > 0 && !isFlow(node) {
		node = values[0].Key
	}
	if node == nil || node.GetToken() == nil {
		return Origin{}
	}
	pos := node.GetToken().Position
	return Origin{Line: pos.Line, Column: pos.Column}
}

func isFlow(node ast.Node) bool {
	m, ok := node.(*ast.MappingNode)
	return ok && m.IsFlowStyle
}

func mappingValues(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// scalarText returns the text of a scalar: a string's value, or a number or bool as written, so that the account 000123
// keeps its zeros.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// kindOf describes node in a fault.
func kindOf(node ast.Node) string {
	if _, ok := mappingValues(node); ok {
		return "a mapping"
	}
	if _, ok := node.(*ast.SequenceNode); ok {
		return "a list"
	}
	if text, ok := scalarText(node); ok {
		return `"` + text + `"`
	}
	return "this"
}

func article(noun string) string {
	if noun == "int" {
		return "an int"
	}
	return "a " + noun
}

func allowedOr(tag reflect.StructTag, v reflect.Value) string {
	if v.Kind() == reflect.Bool {
		return "true or false"
	}
	return allowed(tag)
}

// Join returns the key of name within key.
func Join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
