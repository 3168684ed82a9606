package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Decoder fills a struct from a YAML file. It records where each key was written, and every fault.
type Decoder struct {
	File       string            // its name in faults
	Origins    map[string]Origin // where keys were written; not nil
	Faults     Faults
	Unreadable bool // the file is not YAML, so its settings are unknown

	anchors []*ast.AnchorNode // in the order of the file
}

// Decode reads source into the struct that into points to.
func (d *Decoder) Decode(source []byte, into any) {
	d.Origins[""] = Origin{File: d.File, Line: 1, Column: 1}
	tree, err := parser.ParseBytes(bytes.TrimPrefix(source, byteOrderMark), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.Unreadable = true
		d.syntaxFault(err)
		return
	}
	read := false
	for _, doc := range tree.Docs {
		directive, isDirective := doc.Body.(*ast.DirectiveNode)
		switch {
		case doc.Body == nil:
		case isDirective:
			d.directive(directive)
		case read:
			d.fault(doc.Body, "", "a second YAML document begins here", "", "keep one document per file")
		default:
			read = true
			ast.Walk(anchorVisitor{&d.anchors}, doc.Body)
			d.decode(doc.Body, "", reflect.ValueOf(into).Elem(), "")
		}
	}
}

// Override sets one scalar from outside the file: an environment variable or a flag. It returns false if key is not a
// scalar setting.
func (d *Decoder) Override(at Origin, key, text string, into any) bool {
	v, tag, ok := lookup(reflect.ValueOf(into).Elem(), key)
	if !ok {
		return false
	}
	d.Origins[key] = at
	if problem, want := Set(v, tag, text); problem != "" {
		d.Faults = append(d.Faults, Fault{Origin: at, Key: key, Problem: problem, Allowed: want, Fix: emptyFix(text, tag)})
	}
	return true
}

// byteOrderMark may stand before YAML (YAML 1.2 §5.2).
var byteOrderMark = []byte("\xef\xbb\xbf")

// directive accepts %YAML and rejects directives that could change what the file means.
func (d *Decoder) directive(n *ast.DirectiveNode) {
	if name := n.Name.GetToken().Value; name != "YAML" {
		d.fault(n, "", fmt.Sprintf("the directive %%%s is not supported", name), "", "remove it")
	}
}

// anchorVisitor collects the anchors that aliases name.
type anchorVisitor struct{ anchors *[]*ast.AnchorNode }

func (a anchorVisitor) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok {
		*a.anchors = append(*a.anchors, anchor)
	}
	return a
}

func (d *Decoder) syntaxFault(err error) {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		pos := ye.GetToken().Position
		d.Faults = append(d.Faults, Fault{Origin: Origin{File: d.File, Line: pos.Line, Column: pos.Column}, Problem: "is not YAML: " + ye.GetMessage()})
		return
	}
	d.Faults = append(d.Faults, Fault{Origin: d.Origins[""], Problem: "is not YAML: " + err.Error()})
}

// decode stores node in v. A written key must have a value: null and unresolvable values are faults, so that a mistake is
// never treated as an absent key.
func (d *Decoder) decode(node ast.Node, key string, v reflect.Value, tag reflect.StructTag) {
	at := node
	node, ok := d.resolve(node, key)
	if !ok {
		return
	}
	if _, null := node.(*ast.NullNode); node == nil || null {
		d.fault(at, key, "has no value", allowedOr(tag, v), "give it one, or remove the key")
		return
	}
	switch {
	case IsScalar(v.Type()):
		d.scalar(node, key, v, tag)
	case v.Kind() == reflect.Slice:
		d.list(node, key, v, tag)
	default:
		d.mapping(node, key, v, tag)
	}
}

func (d *Decoder) scalar(node ast.Node, key string, v reflect.Value, tag reflect.StructTag) {
	text, ok := scalarText(node)
	want := typeName(v.Type())
	if !ok {
		d.fault(node, key, fmt.Sprintf("%s is not a %s", kindOf(node), want), allowed(tag), "")
		return
	}
	if kind := v.Kind(); isQuoted(node) && (kind == reflect.Bool || kind == reflect.Int) {
		d.fault(node, key, fmt.Sprintf("%q is a string, not %s", text, article(want)), allowedOr(tag, v), "write it without quotes")
		return
	}
	if problem, want := Set(v, tag, text); problem != "" {
		d.fault(node, key, problem, want, emptyFix(text, tag))
	}
}

func (d *Decoder) list(node ast.Node, key string, v reflect.Value, tag reflect.StructTag) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(node, key, kindOf(node)+" is not a list", "", "write - and the value, one a line, or [value, value]")
		return
	}
	if len(seq.Values) == 0 && tag.Get("empty") == "refused" {
		d.fault(node, key, "is empty", "", emptyFix("", tag))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(seq.Values))) // an empty list differs from an absent key
	for i, item := range seq.Values {
		elem := reflect.New(v.Type().Elem()).Elem()
		if elem.Kind() == reflect.Struct && !IsScalar(elem.Type()) {
			setDefaults(elem)
		}
		itemKey := key + "[" + strconv.Itoa(i) + "]"
		d.note(itemKey, item)
		d.decode(item, itemKey, elem, tag)
		v.Set(reflect.Append(v, elem))
	}
}

// mapping decodes into a struct or a map with string keys.
func (d *Decoder) mapping(node ast.Node, key string, v reflect.Value, tag reflect.StructTag) {
	values, ok := mappingValues(node)
	if !ok {
		d.fault(node, key, kindOf(node)+" is not a mapping", "", "write key: value lines")
		return
	}
	if len(values) == 0 && tag.Get("empty") == "refused" {
		d.fault(node, key, "is empty", "", emptyFix("", tag))
		return
	}
	seen := make(map[string]*token.Position, len(values))
	for _, pair := range values {
		name, ok := keyText(pair.Key)
		if !ok {
			d.fault(pair.Key, key, fmt.Sprintf("%s is not a key", pair.Key), "", "write the key's name itself")
			continue
		}
		child := Join(key, name)
		if at, dup := seen[name]; dup {
			d.fault(pair.Key, child, fmt.Sprintf("is set twice, first at line %d", at.Line), "", "keep one of the two")
			continue
		}
		seen[name] = pair.Key.GetToken().Position
		if v.Kind() == reflect.Map {
			d.mapEntry(pair, name, child, v)
			continue
		}
		d.structField(pair, name, child, v)
	}
}

func (d *Decoder) mapEntry(pair *ast.MappingValueNode, name, key string, v reflect.Value) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	elem := reflect.New(v.Type().Elem()).Elem()
	if elem.Kind() == reflect.Struct {
		setDefaults(elem)
	}
	d.note(key, pair.Key)
	if IsScalar(elem.Type()) {
		d.note(key, pair.Value)
	}
	d.decode(pair.Value, key, elem, "")
	v.SetMapIndex(reflect.ValueOf(name), elem)
}

func (d *Decoder) structField(pair *ast.MappingValueNode, name, key string, v reflect.Value) {
	for f := range Fields(v.Type()) {
		if f.Tag.Get("yaml") != name {
			continue
		}
		d.note(key, pair.Key)
		if IsScalar(f.Type) {
			d.note(key, pair.Value)
		}
		d.decode(pair.Value, key, v.FieldByIndex(f.Index), f.Tag)
		return
	}
	d.fault(pair.Key, key, "is not a known key", "", DidYouMean(name, keysOf(v.Type())))
}
