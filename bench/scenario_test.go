package bench

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"jobgate/bench/load/plan"
)

const lifeYAML = `# a device's life
name: a device's life
headers: {X-Fleet: test}
flows:
  - name: poll
    weight: 95
    steps:
      - request: GET /things/{thingName}/jobs/$next
        status: [200, 404]
  - name: update
    weight: 5
    steps:
      - name: start
        request: PUT /things/{thingName}/jobs/$next
        body: "{}"
        capture: {jobId: execution.jobId}
      - name: finish
        think: 1s..5s
        request: POST /things/{thingName}/jobs/{jobId}
        headers: {Content-Type: application/json}
        body: '{"status":"SUCCEEDED"}'
`

func TestScenario(t *testing.T) {
	s, err := parseScenario([]byte(lifeYAML))
	if err != nil {
		t.Fatal(err)
	}
	want := &scenario{
		name: "a device's life", headers: []plan.Header{{Name: "X-Fleet", Value: "test"}},
		flows: []plan.Flow{
			{Name: "poll", Weight: 95, Steps: []plan.Step{
				{Name: "1", Method: "GET", Path: "/things/{thingName}/jobs/$next", Status: []int{200, 404}},
			}},
			{Name: "update", Weight: 5, Steps: []plan.Step{
				{Name: "start", Method: "PUT", Path: "/things/{thingName}/jobs/$next", Body: "{}", Capture: map[string]string{"jobId": "execution.jobId"}},
				{
					Name: "finish", Method: "POST", Path: "/things/{thingName}/jobs/{jobId}", Body: `{"status":"SUCCEEDED"}`,
					Headers: []plan.Header{{Name: "Content-Type", Value: "application/json"}}, Think: time.Second, ThinkMax: 5 * time.Second,
				},
			}},
		},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("the scenario is\n%+v, want\n%+v", s, want)
	}
}

func TestScenarioRefuses(t *testing.T) {
	f := func(yaml, want string) {
		t.Helper()
		_, err := parseScenario([]byte(yaml))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v; want an error that begins with %q", yaml, err, want)
		}
	}
	f("", "1:1: ")
	f("name: x\n", "1:1: it has no flows")
	f("flows: []\n", "1:1: it has no flows")
	f("name: x\nflow: []\n", `2:1: unknown field "flow"`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        repeat: 3\n", `5:9: unknown field "repeat"`)
	f("flows:\n  - name: a\n    name: b\n", "3:5: ")
	f("flows:\n  - name: a\n    weight: heavy\n", `3:13: "heavy" is not a number`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        status: [ok]\n", `5:18: "ok" is not a whole number`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        body: {a: b}\n", `5:15: "{" is not a text`)
	f("flows: [{name: a, steps: [{request: GET /}]}]\n---\nname: b\n", "1:1: the file holds more than one document")
	f("flows:\n  - name: a\n    steps: [{request: GET /}]\n  - name: a\n    steps: [{request: GET /}]\n", `4:11: flow "a" is defined twice`)
	f("flows:\n  - name: a\n    steps:\n      - {name: x, request: GET /}\n      - {name: x, request: GET /}\n", `5:28: flow "a" has two steps "x"`)
	f("headers: {X: '{foo}'}\nflows:\n  - name: a\n    steps:\n      - request: GET /\n", `5:18: step "1": unknown variable {foo}`)
	f("flows:\n  - name: a\n    weight: 0\n    steps: [{request: GET /}]\n", `2:11: flow "a": weight 0`)
	f("flows:\n  - name: a\n    weight: .nan\n    steps: [{request: GET /}]\n", `2:11: flow "a": weight NaN`)
	f("flows:\n  - name: a\n    weight: .inf\n    steps: [{request: GET /}]\n", `2:11: flow "a": weight +Inf`)
	f("flows:\n  - name: a\n", `2:11: flow "a" has no steps`)
	f("flows:\n  - steps: [{request: GET /}]\n", `2:23: a flow has no name`)
	f("flows:\n  - name: a\n    steps:\n      - name: b\n", `2:11: flow "a": step "b" has no request`)
	f("flows:\n  - name: a\n    steps:\n      - request: /x\n", `4:18: request "/x" is not a method and a path`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /{thing}\n", `4:18: step "1": unknown variable {thing}`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET x\n", `4:18: step "1": path "x"`)
	f("flows:\n  - name: a\n    steps:\n      - request: [GET]\n", "4:18: it is not a plain value")
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        think: a while\n", `5:16: think time "a while"`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        think: 5s..1s\n", `5:16: think time "5s..1s"`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        status: [20]\n", `4:18: step "1": status 20`)
	f("flows:\n  - name: a\n    steps:\n      - request: GET /\n        capture: {a-b: c}\n", `4:18: step "1": cannot capture "a-b"`)
	f("flows: {a: b}\n", "1:")
	f("flows:\n\t- x\n", "2:")
	f(strings.Repeat("[", 100), "1:")
}

func FuzzScenario(f *testing.F) {
	f.Add(lifeYAML)
	f.Add("flows: [{name: a, steps: [{request: GET /}]}]")
	f.Fuzz(func(t *testing.T, yaml string) {
		s, err := parseScenario([]byte(yaml))
		if err == nil {
			for _, flow := range s.flows {
				if err := plan.CheckFlow(flow, s.headers); err != nil {
					t.Errorf("parseScenario accepts a flow that CheckFlow rejects: %v", err)
				}
			}
		}
	})
}
