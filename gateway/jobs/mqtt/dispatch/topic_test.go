package dispatch_test

import (
	"fmt"
	"strings"
	"testing"

	"jobgate/gateway/jobs/mqtt/dispatch"
)

func TestParseTopic(t *testing.T) {
	f := func(prefix, topic, want string) {
		t.Helper()
		p, ok := dispatch.ParseTopic(prefix, []byte(topic))
		got := "none"
		if ok {
			got = strings.TrimRight(fmt.Sprintf("%s %v %s %s", p.Thing, p.Operation, p.Job, p.Namespace), " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", topic, got, want)
		}
	}
	f("$aws", "$aws/things/t/jobs/get", "t GetPendingJobExecutions")
	f("$aws", "$aws/things/a:b/jobs/start-next", "a:b StartNextPendingJobExecution")
	f("$aws", "$aws/things/t/jobs/$next/get", "t DescribeJobExecution $next")
	f("$aws", "$aws/things/t/jobs/get/get", "t DescribeJobExecution get")
	f("$aws", "$aws/things/t/jobs/update/update", "t UpdateJobExecution update")
	f("$aws", "$aws/things/t/jobs/j/namespace-gg/update", "t UpdateJobExecution j gg")
	f("dev/$aws", "dev/$aws/things/t/jobs/j/get", "t DescribeJobExecution j")
	f("$aws", "$aws/things/t/jobs/get/accepted", "t unknown")
	f("$aws", "$aws/things/t/jobs/", "t unknown")
	f("$aws", "$aws/things/t/jobs", "none")
	f("$aws", "$aws/things/t/shadow/get", "none")
	f("$aws", "$aws/things//jobs/get", "none")
	f("$aws", "$awsx/things/t/jobs/get", "none")
	f("$aws", "aws/things/t/jobs/get", "none")
	f("dev/$aws", "$aws/things/t/jobs/get", "none")
	f("$aws", "$aws", "none")
}

func TestOwnFilter(t *testing.T) {
	f := func(filter string, want bool) {
		t.Helper()
		if got := dispatch.OwnFilter("$aws", "t", []byte(filter)); got != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
	for _, own := range []string{
		"jobs/notify-next", "jobs/notify", "jobs/#", "jobs/+/get/+", "jobs/get/+", "jobs/start-next/accepted", "jobs/+/update/accepted",
		"jobs/notify-namespace-gg", "#", "+/notify-next",
	} {
		f("$aws/things/t/"+own, true)
	}
	for _, other := range []string{
		"#", "+", "$aws/#", "$aws/things/#", "$aws/things/+/jobs/#", "$aws/things/u/jobs/#", "$aws/things/tt/jobs/#", "+/things/t/jobs/#",
		"$aws/things/t", "$aws/things/t/shadow/#", "$aws/things/t/jobs", "$aws/things/t/+", "$aws/events/job/#", "$share/g/$aws/things/t/jobs/#",
		"$SYS/#", "things/t/jobs/#", "", "/",
	} {
		f(other, false)
	}
}

// FuzzAnswer: whatever a device sends, the answer is JSON and echoes the token unchanged.
func FuzzAnswer(f *testing.F) {
	x := newFixture(f)
	x.create("j", nil)
	for _, payload := range []string{
		``, `{}`, `{"clientToken":"c","status":"IN_PROGRESS","statusDetails":{"a":"b"},"expectedVersion":"1"}`, `{"a":{"b":[1,"]"]},"\u0061":"\\\""}`,
		`{"clientToken":null,"executionNumber":1e3}`, ` { "status" : "FAILED" , "x":[{}],"y":-1 } `,
	} {
		for _, rest := range []string{"get", "start-next", "$next/get", "j/get", "j/update"} {
			f.Add(rest, payload)
		}
	}
	f.Fuzz(func(t *testing.T, rest, payload string) {
		topic, ok := dispatch.ParseTopic("$aws", []byte("$aws/things/t/jobs/"+rest))
		if !ok {
			t.Fatal("no topic")
		}
		y := *x
		y.TB = t
		answer, code := x.d.Answer(nil, &dispatch.Request{Thing: "t", Topic: topic, Payload: []byte(payload), Now: x.now})
		got := y.object(string(answer))
		if code == dispatch.Accepted && payload != "" {
			if want := y.object(payload)["clientToken"]; want != nil && got["clientToken"] != want {
				t.Errorf("the token of %s is echoed as %v", payload, got["clientToken"])
			}
		}
	})
}
