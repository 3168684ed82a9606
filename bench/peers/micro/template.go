package micro

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	texttemplate "text/template"

	"github.com/valyala/fasttemplate"

	"jobgate/bench/peers/setup"
	"jobgate/gateway/jobdoc"
)

// strings that every template engine inserts into the same document.
var parameters = map[string]string{
	"channel": "stable", "version": "7.1.4-lts", "url": "https://downloads.example.com/firmware/images/v7.bin",
	"sha256": strings.Repeat("0123456789abcdef", 4), "contact": "fleet-operations@example.com",
}

// templateText is the document with each engine's own placeholder syntax.
func templateText(hole func(name string) string) string {
	return `{"operation":"install","version":"` + hole("version") + `","channel":"` + hole("channel") + `","files":[{"name":"v7.bin","url":"` +
		hole("url") + `","sha256":"` + hole("sha256") + `","reboot":true,"steps":["download","verify","install","restart"]}],"contact":"` + hole("contact") + `"}`
}

// Template compares template engines on the same document and strings, once with a
// template parsed beforehand and once including the parsing, as for an answer that is
// filled in flight.
func Template(ctx context.Context, o *setup.Options) error {
	ours := templateText(func(name string) string { return "${aws:iot:parameter:" + name + "}" })
	theirs := templateText(func(name string) string { return "${" + name + "}" })
	options := &jobdoc.Options{Parameters: parameters}
	if err := sameDocument(ours, theirs, options); err != nil {
		return err
	}
	ready, err := readyTemplates(ours, theirs, options)
	if err != nil {
		return err
	}
	if err := measure(ctx, o, "One template, read before", "Five strings inserted into a document of 400 bytes. jobgate resolves parameters once, when it parses the document.", ready); err != nil {
		return err
	}
	inFlight := []*operation{
		{name: "jobgate jobdoc.Fill", reference: true, run: func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			var err error
			var request jobdoc.Context
			document := []byte(ours)
			for range b.N {
				if out, err = jobdoc.Fill(out[:0], document, options, &request); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{name: "fasttemplate.Execute", run: func(b *testing.B) {
			b.ReportAllocs()
			values := anyValues()
			var out bytes.Buffer
			for range b.N {
				out.Reset()
				if _, err := fasttemplate.Execute(theirs, "${", "}", &out, values); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{name: "strings.Replacer, made anew", run: func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				_ = replacer().Replace(theirs)
			}
		}},
	}
	return measure(ctx, o, "One template, read in flight", "The same, parsing the document each time. jobgate also parses it as JSON, to know the context of each value.", inFlight)
}

// readyTemplates returns the engines with their templates parsed beforehand.
func readyTemplates(ours, theirs string, options *jobdoc.Options) ([]*operation, error) {
	document, err := jobdoc.Parse([]byte(ours), options)
	if err != nil {
		return nil, err
	}
	fast, err := fasttemplate.NewTemplate(theirs, "${", "}")
	if err != nil {
		return nil, err
	}
	text, err := texttemplate.New("t").Parse(templateText(func(name string) string { return "{{." + name + "}}" }))
	if err != nil {
		return nil, err
	}
	return []*operation{
		{name: "jobgate jobdoc.Template", reference: true, run: func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			var err error
			var request jobdoc.Context
			for range b.N {
				if out, err = document.AppendTo(out[:0], &request); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{name: "fasttemplate, map", goal: 2, run: func(b *testing.B) {
			values := anyValues()
			writing(b, func(out *bytes.Buffer) error {
				_, err := fast.Execute(out, values)
				return err
			})
		}},
		{name: "fasttemplate, function", goal: 2, run: func(b *testing.B) {
			writing(b, func(out *bytes.Buffer) error {
				_, err := fast.ExecuteFunc(out, func(w io.Writer, tag string) (int, error) { return io.WriteString(w, parameters[tag]) })
				return err
			})
		}},
		{name: "strings.Replacer", run: func(b *testing.B) {
			r := replacer()
			writing(b, func(out *bytes.Buffer) error {
				_, err := r.WriteString(out, theirs)
				return err
			})
		}},
		{name: "text/template", run: func(b *testing.B) {
			writing(b, func(out *bytes.Buffer) error { return text.Execute(out, parameters) })
		}},
	}, nil
}

// writing is the loop of an engine that writes into a buffer. The indirect call costs about one nanosecond of some hundred.
func writing(b *testing.B, once func(*bytes.Buffer) error) {
	b.ReportAllocs()
	var out bytes.Buffer
	for range b.N {
		out.Reset()
		if err := once(&out); err != nil {
			b.Fatal(err)
		}
	}
}

func anyValues() map[string]any {
	values := map[string]any{}
	for name, value := range parameters {
		values[name] = []byte(value) // fasttemplate writes a []byte without a copy
	}
	return values
}

func replacer() *strings.Replacer {
	var pairs []string
	for name, value := range parameters {
		pairs = append(pairs, "${"+name+"}", value)
	}
	return strings.NewReplacer(pairs...)
}

// sameDocument checks that all engines write the same bytes.
func sameDocument(ours, theirs string, options *jobdoc.Options) error {
	a, err := jobdoc.Fill(nil, []byte(ours), options, &jobdoc.Context{})
	if err != nil {
		return err
	}
	if b := fasttemplate.ExecuteString(theirs, "${", "}", anyValues()); b != string(a) {
		return fmt.Errorf("the template engines write different documents:\n%s\n%s", a, b)
	}
	return nil
}
