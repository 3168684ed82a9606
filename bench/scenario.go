package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"jobgate/bench/load/plan"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// scenario is a parsed and checked scenario file.
type scenario struct {
	name    string
	headers []plan.Header
	flows   []plan.Flow
}

// The file's schema. A placed value keeps its position in the file, for errors about its
// meaning; the decoder reports the position of all other errors.
type (
	yamlScenario struct {
		Name    string            `yaml:"name"`
		Headers map[string]string `yaml:"headers"`
		Flows   []yamlFlow        `yaml:"flows"`
	}
	yamlFlow struct {
		Name   placed     `yaml:"name"`
		Weight *float64   `yaml:"weight"`
		Steps  []yamlStep `yaml:"steps"`
	}
	yamlStep struct {
		Name    string            `yaml:"name"`
		Request placed            `yaml:"request"`
		Headers map[string]string `yaml:"headers"`
		Body    string            `yaml:"body"`
		Status  []int             `yaml:"status"`
		Think   placed            `yaml:"think"`
		Capture map[string]string `yaml:"capture"`
	}
	placed struct {
		text         string
		line, column int
	}
)

// UnmarshalYAML keeps the scalar's text and position.
func (p *placed) UnmarshalYAML(node ast.Node) error {
	at := node.GetToken().Position
	p.line, p.column = at.Line, at.Column
	if _, ok := node.(ast.ScalarNode); !ok {
		return &placedError{*p, errors.New("it is not a plain value")}
	}
	return yaml.NodeToValue(node, &p.text)
}

// placedError is an error with its position in the file.
type placedError struct {
	at  placed
	err error
}

func (e *placedError) Error() string {
	return fmt.Sprintf("%d:%d: %v", e.at.line, e.at.column, e.err)
}

func (e *placedError) Unwrap() error { return e.err }

// readScenario reads a scenario file; its errors begin with file:line:column.
func readScenario(name string) (*scenario, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read scenario: %w; see --scenario", err)
	}
	s, err := parseScenario(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use scenario %s:%w", name, err)
	}
	return s, nil
}

// parseScenario reads a scenario; its errors begin with line:column.
func parseScenario(text []byte) (*scenario, error) {
	y, err := decode(text)
	if err != nil {
		return nil, placeOf(err)
	}
	if len(y.Flows) == 0 {
		return nil, errors.New(`1:1: it has no flows, as in "flows: [{name: poll, steps: [{request: GET /path}]}]"`)
	}
	s := &scenario{name: y.Name, headers: sortedHeaders(y.Headers)}
	seen := map[string]bool{}
	for i := range y.Flows {
		f, err := y.Flows[i].flow(s.headers)
		if err != nil {
			return nil, err
		}
		if seen[f.Name] {
			return nil, &placedError{y.Flows[i].Name, fmt.Errorf("flow %q is defined twice: names of flows must be unique", f.Name)}
		}
		seen[f.Name] = true
		s.flows = append(s.flows, f)
	}
	return s, nil
}

// decode decodes the file. The decoder (goccy/go-yaml 1.19) panics on some inputs, such
// as a tag before a flow sequence; decode returns an error for them.
func decode(text []byte) (y yamlScenario, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder failed: %v", r)
		}
	}()
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err = d.Decode(&y); err != nil {
		return y, err
	}
	var more any
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return y, errors.New("the file holds more than one document (---); a scenario is a single one")
	}
	return y, nil
}

// placeOf converts the decoder's error to the form line:column: text.
func placeOf(err error) error {
	var own *placedError
	if errors.As(err, &own) {
		return own
	}
	var y yaml.Error
	if errors.As(err, &y) && y.GetToken() != nil {
		at := y.GetToken().Position
		return fmt.Errorf("%d:%d: %s", at.Line, at.Column, inYAML(y))
	}
	if errors.Is(err, io.EOF) {
		return errors.New("1:1: it is empty")
	}
	return fmt.Errorf("1:1: %w", err)
}

// inYAML returns the decoder's message. For a wrong type, it names the value and the
// expected YAML type instead of Go types.
func inYAML(err yaml.Error) string {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) {
		return err.GetMessage()
	}
	want := map[reflect.Kind]string{
		reflect.String: "a text", reflect.Float64: "a number, as in 95", reflect.Int: "a whole number, as in 200",
		reflect.Slice: "a list", reflect.Map: "a mapping", reflect.Struct: "a mapping",
	}[wrong.DstType.Kind()]
	return fmt.Sprintf("%q is not %s", err.GetToken().Value, want)
}

// flow checks one flow. It compiles the steps already, so that an error in a step is
// reported with its position.
func (y *yamlFlow) flow(shared []plan.Header) (plan.Flow, error) {
	f := plan.Flow{Name: y.Name.text, Weight: 1}
	if f.Name == "" {
		return f, &placedError{y.place(), errors.New("a flow has no name, as in name: poll")}
	}
	if y.Weight != nil {
		f.Weight = *y.Weight
	}
	if err := plan.CheckWeight(f.Weight); err != nil {
		return f, &placedError{y.Name, fmt.Errorf("flow %q: %w", f.Name, err)}
	}
	if len(y.Steps) == 0 {
		return f, &placedError{y.Name, fmt.Errorf("flow %q has no steps", f.Name)}
	}
	for i := range y.Steps {
		s, err := y.Steps[i].step(i, y.Name)
		if err != nil {
			return f, err
		}
		for _, before := range f.Steps {
			if before.Name == s.Name {
				return f, &placedError{y.Steps[i].Request, fmt.Errorf("flow %q has two steps %q: names of steps must be unique", f.Name, s.Name)}
			}
		}
		f.Steps = append(f.Steps, s)
		if err := plan.CheckFlow(f, shared); err != nil {
			return f, &placedError{y.Steps[i].Request, err}
		}
	}
	return f, nil
}

// place returns the position of a flow without a name: its first request's.
func (y *yamlFlow) place() placed {
	for _, s := range y.Steps {
		if s.Request.line > 0 {
			return s.Request
		}
	}
	return placed{line: 1, column: 1}
}

// step converts one step for package load; its template is not checked yet.
func (y *yamlStep) step(i int, flow placed) (plan.Step, error) {
	s := plan.Step{Name: y.Name, Headers: sortedHeaders(y.Headers), Body: y.Body, Status: y.Status, Capture: y.Capture}
	if s.Name == "" {
		s.Name = fmt.Sprint(i + 1)
	}
	if y.Request.text == "" {
		return s, &placedError{flow, fmt.Errorf("flow %q: step %q has no request, as in GET /things/{thingName}/jobs/$next", flow.text, s.Name)}
	}
	var ok bool
	if s.Method, s.Path, ok = strings.Cut(y.Request.text, " "); !ok {
		return s, &placedError{y.Request, fmt.Errorf("request %q is not a method and a path, as in GET /things/{thingName}/jobs/$next", y.Request.text)}
	}
	s.Path = strings.TrimSpace(s.Path)
	var err error
	if s.Think, s.ThinkMax, err = parseThink(y.Think.text); err != nil {
		return s, &placedError{y.Think, err}
	}
	return s, nil
}

// parseThink reads "2s" or "1s..5s".
func parseThink(text string) (least, most time.Duration, err error) {
	if text == "" {
		return 0, 0, nil
	}
	a, b, isRange := strings.Cut(text, "..")
	least, err = time.ParseDuration(a)
	most = least
	if err == nil && isRange {
		most, err = time.ParseDuration(b)
	}
	if err != nil || least < 0 || most < least {
		return 0, 0, fmt.Errorf("think time %q is not a duration (2s) or a range of them (1s..5s)", text)
	}
	return least, most, nil
}

// sortedHeaders returns the headers in order of their names, so that a scenario always
// sends the same bytes.
func sortedHeaders(m map[string]string) []plan.Header {
	var all []plan.Header
	for name, value := range m {
		all = append(all, plan.Header{Name: name, Value: value})
	}
	slices.SortFunc(all, func(a, b plan.Header) int { return strings.Compare(a.Name, b.Name) })
	return all
}
