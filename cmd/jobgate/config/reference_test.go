package config

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the settings table into SETTINGS.md")

const (
	reference  = "SETTINGS.md"
	tableBegin = "<!-- settings -->\n"
	tableEnd   = "<!-- /settings -->"
)

// TestSettingsTable checks that the settings table of SETTINGS.md matches the structs. With -update it writes the table.
func TestSettingsTable(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begun := bytes.Cut(page, []byte(tableBegin))
	table, after, ended := bytes.Cut(rest, []byte(tableEnd))
	if !begun || !ended {
		t.Fatalf("SETTINGS.md has no %s … %s", strings.TrimSpace(tableBegin), tableEnd)
	}
	want := settingsTable(t)
	if string(table) == want {
		return
	}
	if !*update {
		t.Fatalf("the table of SETTINGS.md does not match the structs; run go test ./cmd/jobgate/config -run SettingsTable -update\nwant:\n%s", want)
	}
	page = bytes.Join([][]byte{before, []byte(tableBegin), []byte(want), []byte(tableEnd), after}, nil)
	if err := os.WriteFile(reference, page, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestEverySettingHasAMeaning checks that each setting has a comment, for the table's column Meaning.
func TestEverySettingHasAMeaning(t *testing.T) {
	comments := fieldComments(t)
	for key, comment := range comments {
		if comment == "" || !strings.HasSuffix(comment, ".") {
			t.Errorf("%s: its comment %q is not a sentence", key, comment)
		}
	}
	for _, s := range Settings() {
		if _, ok := comments[s.Key]; !ok {
			t.Errorf("%s has no comment", s.Key)
		}
	}
}

func settingsTable(t *testing.T) string {
	comments := fieldComments(t)
	var b strings.Builder
	b.WriteString("| Setting | Type | Default | Allowed | Meaning | Environment |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, s := range Settings() {
		if s.Restart {
			comments[s.Key] += " Needs a restart."
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", s.Key, s.Type, code(s.Default), strings.ReplaceAll(s.Allowed, "..", " … "), strings.ReplaceAll(comments[s.Key], "|", "\\|"), code(s.Env))
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

// fieldComments reads the comments of the settings' fields from the source, by key.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	structs := map[string]*ast.StructType{}
	for _, name := range []string{"settings.go", "settings_codesign.go", "settings_mqtt.go", "settings_server.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(file) {
			if spec, ok := node.(*ast.TypeSpec); ok {
				if st, ok := spec.Type.(*ast.StructType); ok {
					structs[spec.Name.Name] = st
				}
			}
		}
	}
	comments := map[string]string{}
	collectComments(structs, "Config", "", comments)
	return comments
}

func collectComments(structs map[string]*ast.StructType, name, prefix string, comments map[string]string) {
	for _, f := range structs[name].Fields.List {
		if f.Tag == nil {
			continue // not a setting
		}
		key := prefix + reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("yaml")
		comments[key] = strings.Join(strings.Fields(f.Doc.Text()), " ")
		switch typ := f.Type.(type) {
		case *ast.Ident:
			if structs[typ.Name] != nil {
				collectComments(structs, typ.Name, key+".", comments)
			}
		case *ast.ArrayType:
			if elem, ok := typ.Elt.(*ast.Ident); ok && structs[elem.Name] != nil {
				collectComments(structs, elem.Name, key+"[].", comments)
			}
		case *ast.MapType:
			if elem, ok := typ.Value.(*ast.Ident); ok && structs[elem.Name] != nil {
				collectComments(structs, elem.Name, key+".NAME.", comments)
			}
		}
	}
}
