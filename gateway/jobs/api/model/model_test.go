package model

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"jobgate/gateway/jobs/wire"
)

// modelDiffers lists where the model differs from the facts' copy of AWS's, and why.
var modelDiffers = map[string]string{
	"TimeoutConfig": "inProgressTimeoutInMinutes is 1 to 10080 (AWS.md §3); the model has no range",
	"DescribeThing": "AWS's newer models let values of attributes hold = [ ], as those of CreateThing here do",
	"ListThings":    "what a thing may be created with, it may be found by",
}

// The model agrees with the facts' copy of AWS's, operation by operation and shape by shape.
func TestModelAgreesWithAWS(t *testing.T) {
	facts, err := os.ReadFile("../../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(facts), "## 5. Control plane")
	section, _, _ = strings.Cut(section, "Semantics worth copying")
	text := modelText(section)
	want, err := Parse(text + supplement)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Control()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*Operation{}
	for _, op := range got.Operations {
		byName[op.Name] = op
	}
	if len(want.Operations) != 38 || len(got.Operations) != len(want.Operations)+1 { // and CreateDynamicThingGroup
		t.Errorf("the facts have %d operations, the model %d", len(want.Operations), len(got.Operations))
	}
	for _, op := range want.Operations {
		have := byName[op.Name]
		if why, differs := modelDiffers[op.Name]; have == nil || differs != (describeOperation(have) != describeOperation(op)) {
			t.Errorf("%s (%s):\nmodel %s\nfacts %s", op.Name, why, describeOperation(have), describeOperation(op))
		}
	}
	for name, s := range want.Shapes {
		if len(s.Members) == 0 { // one of the supplement
			continue
		}
		if why, differs := modelDiffers[name]; differs != (describeShape(got.Shapes[name], 1) != describeShape(s, 1)) {
			t.Errorf("shape %s (%s):\nmodel %s\nfacts %s", name, why, describeShape(got.Shapes[name], 1), describeShape(s, 1))
		}
	}
}

// supplement names the shapes that the facts mention but do not describe; the model describes them.
const supplement = "\nshape AttributePayload\nshape ThingGroupProperties\nshape ThingAttribute\nshape GroupNameAndArn\nshape ThingGroupMetadata\n"

var (
	factsOperation = regexp.MustCompile("^- \\*\\*(\\w+)\\*\\* `(\\w+ \\S+)`$")
	factsShape     = regexp.MustCompile(`^- \*\*(\w+)\*\*: (.*)$`)
	factsMember    = regexp.MustCompile(`^(\w+\*?)(?: \((uri|query)\))?: (.*)$`)
)

// modelText returns the facts' section in the model's notation.
func modelText(section string) string {
	var b strings.Builder
	members := func(prefix, list string) {
		for _, m := range splitMembers(list) {
			f := factsMember.FindStringSubmatch(m)
			typ := strings.TrimSuffix(f[3], " [SDK v2 only]")
			if typ == "str" {
				typ = "string"
			}
			typ = strings.Replace(typ, "<str>", "<string>", 1)
			fmt.Fprintf(&b, "%s\n", strings.TrimRight(prefix+strings.TrimSpace(f[1]+" "+f[2])+": "+typ, " "))
		}
	}
	for line := range strings.Lines(section) {
		line = strings.TrimRight(line, "\n")
		if f := factsOperation.FindStringSubmatch(line); f != nil {
			fmt.Fprintf(&b, "\n%s %s\n", f[1], f[2])
		} else if f := factsShape.FindStringSubmatch(line); f != nil {
			fmt.Fprintf(&b, "\nshape %s\n", f[1])
			members("  ", f[2])
		} else if list, ok := strings.CutPrefix(line, "  - err: "); ok {
			fmt.Fprintf(&b, "  err %s\n", list)
		} else if list, ok := strings.CutPrefix(line, "  - in: "); ok && list != "(empty)" {
			members("  in ", list)
		} else if list, ok := strings.CutPrefix(line, "  - out: "); ok && list != "(empty)" {
			members("  out ", list)
		}
	}
	return b.String()
}

// splitMembers splits at "; ", but not inside backquotes.
func splitMembers(list string) (members []string) {
	quoted := false
	from := 0
	for i := range len(list) {
		switch {
		case list[i] == '`':
			quoted = !quoted
		case list[i] == ';' && !quoted:
			members = append(members, strings.TrimSpace(list[from:i]))
			from = i + 1
		}
	}
	return append(members, strings.TrimSpace(list[from:]))
}

func describeOperation(op *Operation) string {
	if op == nil {
		return "none"
	}
	return fmt.Sprint(op.Method, op.Segments, describeMembers(op.Input, 1), describeMembers(op.Output, 1), op.Exceptions)
}

func describeMembers(list []Member, depth int) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprint(&b, m.Name, m.Place, m.Required, describeShape(m.Shape, depth-1), "; ")
	}
	return b.String()
}

// describeShape describes a shape, and nested ones up to a depth.
func describeShape(s *Shape, depth int) string {
	if s == nil {
		return "none"
	}
	text := fmt.Sprint(s.Kind, s.Bounds, s.Source, s.Enum)
	if s.Key != nil {
		text += describeShape(s.Key, depth)
	}
	if s.Element != nil {
		text += describeShape(s.Element, depth)
	}
	if depth > 0 {
		text += describeMembers(s.Members, depth)
	}
	return text
}

func TestParseModelRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want …%s…", text, err, want)
		}
	}
	f("Op GET", "line 1")
	f("Op GET jobs", "not an operation")
	f("  in a: string", "belongs to nothing")
	f("Op GET /a\n  to a: string", "begins with none")
	f("Op GET /a\n  in a string", "not a name and a type")
	f("Op GET /a\n  in a: strings", `"strings" is not known`)
	f("Op GET /a\n  in a: list(string)", "is not known")
	f("Op GET /a\n  in a: list<string", `does not begin with ">"`)
	f("Op GET /a\n  in a: map<string>", `does not begin with ","`)
	f("Op GET /a\n  in a: string string", "follows a type")
	f("Op GET /a\n  in a: integer [1]", "not a range")
	f("Op GET /a\n  in a: integer [a..]", "not a range")
	f("Op GET /a\n  in a: integer [..b]", "not a range")
	f("Op GET /a\n  in a: [`(`]", "missing closing )")
	f("Op GET /a\n  err A", "not an exception")
}

// The hand-written checks of names agree with the model's patterns.
func FuzzIsName(f *testing.F) {
	m, err := Data()
	if err != nil {
		f.Fatal(err)
	}
	thing, job := m.Operations[3].Input[0].Shape, m.Operations[3].Input[1].Shape
	f.Add("sensor:1")
	f.Add("")
	f.Add("a\n")
	f.Add(strings.Repeat("x", 64))
	f.Add(strings.Repeat("x", 129))
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := wire.IsName([]byte(s), wire.MaxThingName, true), thing.StringFaults(s) == nil; got != want {
			t.Errorf("thing %q: %v, the model says %v", s, got, want)
		}
		if got, want := wire.IsName([]byte(s), wire.MaxJobID, false), job.StringFaults(s) == nil; got != want {
			t.Errorf("job %q: %v, the model says %v", s, got, want)
		}
	})
}
