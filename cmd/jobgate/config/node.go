package config

import (
	"reflect"

	"github.com/goccy/go-yaml/ast"
)

// note records where key was written.
func (d *decoder) note(key string, node ast.Node) {
	if pos := position(node); pos != (Origin{}) {
		pos.File = d.file
		d.origins[key] = pos
	}
}

// fault records a fault at node.
func (d *decoder) fault(node ast.Node, key, problem, allowed, mend string) {
	at := position(node)
	at.File = d.file
	d.faults = append(d.faults, Fault{Origin: at, Key: key, Problem: problem, Allowed: allowed, Mend: mend})
}

// position is where node begins: a mapping begins at its first key, not at the colon behind it.
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

// scalarText is the text of a scalar: a string's value, and of a number or bool what the author wrote, so that
// 000123 stays the account that it is.
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

// kindOf names what node is, for a fault.
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

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}
