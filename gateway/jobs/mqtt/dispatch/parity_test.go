package dispatch_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/data"
	rendering "jobgate/gateway/jobs/documents"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/target"
)

// parity sends the same requests to two services with the same history, one over HTTP and one over MQTT.
type parity struct {
	testing.TB
	mqtt, http *fixture
	plane      *data.Plane
}

func newParity(t testing.TB) *parity {
	p := &parity{TB: t, mqtt: newFixture(t), http: newFixture(t)}
	var err error
	p.plane, err = data.New(data.Config{Service: p.http.Service, Documents: rendering.New(rendering.Config{})})
	p.mqtt.ok(err)
	return p
}

// create creates a job in both services.
func (p *parity) create(id string) {
	p.Helper()
	p.mqtt.create(id, nil)
	p.http.create(id, nil)
}

// later advances the clock of both.
func (p *parity) later(d time.Duration) {
	p.mqtt.now, p.http.now = p.mqtt.now.Add(d), p.http.now.Add(d)
}

// overHTTP returns the status, the exception's name and the body of an answer.
func (p *parity) overHTTP(method, uri, body string) (int, string, map[string]any) {
	p.Helper()
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(method)
	ctx.Request.Header.SetRequestURI(uri)
	ctx.Request.Header.SetHost("localhost")
	ctx.Request.SetBodyString(body)
	var asked target.Target
	p.mqtt.ok(asked.Parse(ctx.Request.Header.RequestURI()))
	x := data.Exchange{Now: p.http.now, Target: &asked}
	if !p.plane.Match(ctx.Method(), &x) {
		p.Fatalf("%s %s is no operation", method, uri)
	}
	p.plane.Serve(&ctx, &x)
	r := &ctx.Response
	return r.StatusCode(), string(r.Header.Peek("X-Amzn-ErrorType")), p.http.object(string(r.Body()))
}

// exceptions maps exceptions of HTTP to codes of MQTT (AWS.md §4, §7).
var exceptions = map[string][]dispatch.Code{
	"InvalidRequestException":         {dispatch.InvalidRequest, dispatch.InvalidJSON},
	"ResourceNotFoundException":       {dispatch.ResourceNotFound},
	"InvalidStateTransitionException": {dispatch.InvalidStateTransition, dispatch.VersionMismatch},
	"TerminalStateException":          {dispatch.TerminalStateReached},
}

// same sends a request over both, and compares the answers except for AWS's differences: over MQTT there is a timestamp,
// the client's token, and a document that is an object, and TerminalStateReached has no state.
func (p *parity) same(rest, payload, method, uri, body string) {
	p.Helper()
	over, code := p.mqtt.ask(rest, payload)
	status, exception, plain := p.overHTTP(method, "/things/t/jobs"+uri, body)
	name := method + " " + uri + " " + body
	if _, ok := over["timestamp"].(json.Number); !ok {
		p.Errorf("%s: no timestamp in %v", name, over)
	}
	delete(over, "timestamp")
	delete(over, "clientToken")
	if (status == http.StatusOK) != (code == dispatch.Accepted) {
		p.Errorf("%s: HTTP %d %s %v, MQTT %v %v", name, status, exception, plain, code, over)
		return
	}
	if status != http.StatusOK {
		if !slices.Contains(exceptions[exception], code) {
			p.Errorf("%s: HTTP %s, MQTT %v", name, exception, code)
		}
		if code == dispatch.TerminalStateReached {
			delete(plain, "executionState")
		}
		if !reflect.DeepEqual(over["executionState"], plain["executionState"]) {
			p.Errorf("%s: state over HTTP %v, over MQTT %v", name, plain["executionState"], over["executionState"])
		}
		return
	}
	objects(p, plain)
	if execution, ok := plain["execution"].(map[string]any); ok {
		objects(p, execution)
	}
	if !reflect.DeepEqual(over, plain) {
		p.Errorf("%s:\nHTTP %v\nMQTT %v", name, plain, over)
	}
}

// objects turns the document of an answer over HTTP, a string, into an object as over MQTT.
func objects(p *parity, m map[string]any) {
	p.Helper()
	if text, ok := m["jobDocument"].(string); ok {
		m["jobDocument"] = p.http.object(text)
	}
}

// compareReads compares the answers to all reads.
func (p *parity) compareReads(ids ...string) {
	p.Helper()
	p.same("get", `{"clientToken":"c"}`, "GET", "", "")
	for _, id := range append(ids, jobs.Next) {
		p.same(id+"/get", ``, "GET", "/"+id+"?includeJobDocument=true", "")
		p.same(id+"/get", `{"includeJobDocument":false}`, "GET", "/"+id+"?includeJobDocument=false", "")
		p.same(id+"/get", `{"executionNumber":1}`, "GET", "/"+id+"?executionNumber=1&includeJobDocument=true", "")
		p.same(id+"/get", `{"executionNumber":7}`, "GET", "/"+id+"?executionNumber=7&includeJobDocument=true", "")
		p.same(id+"/get", `{"executionNumber":0}`, "GET", "/"+id+"?executionNumber=0&includeJobDocument=true", "")
	}
}

// Both protocols give the same answers to every request, from the first job to the last, invalid requests included.
func TestAnswersEqualHTTP(t *testing.T) {
	p := newParity(t)
	update := func(id, body string) {
		t.Helper()
		p.later(time.Second)
		p.same(id+"/update", body, "POST", "/"+id, body)
		p.compareReads("a", "b", "unknown")
	}
	start := func(body string) {
		t.Helper()
		p.later(time.Second)
		p.same("start-next", body, "PUT", "/$next", body)
		p.compareReads("a", "b")
	}
	p.compareReads("a")
	start(`{}`)
	p.create("a")
	p.create("b")
	p.compareReads("a", "b", "unknown")
	for _, bad := range badBodies {
		update("a", bad)
		start(`{"statusDetails":` + strings.TrimPrefix(bad, `{"status":"IN_PROGRESS","statusDetails":`))
	}
	start(`{"statusDetails":{"step":"é😀 \u00e9\ud83d\ude00","b":"2"},"stepTimeoutInMinutes":5}`)
	start(`{"statusDetails":{"other":"1"}}`)
	update("a", `{"status":"IN_PROGRESS","includeJobExecutionState":true,"includeJobDocument":true}`)
	update("a", `{"status":"IN_PROGRESS","statusDetails":{"step":"2"},"stepTimeoutInMinutes":-1,"includeJobExecutionState":true}`)
	update("a", `{"status":"IN_PROGRESS","expectedVersion":99}`)
	update("a", `{"status":"IN_PROGRESS","executionNumber":7}`)
	update("a", `{"status":"QUEUED"}`)
	update("unknown", `{"status":"SUCCEEDED"}`)
	update("a", `{"status":"SUCCEEDED","executionNumber":1,"includeJobExecutionState":true}`)
	update("a", `{"status":"FAILED","includeJobExecutionState":true}`)
	update("a", `{"status":"SUCCEEDED","expectedVersion":99}`)
	update("b", `{"status":"REJECTED","statusDetails":{"why":"no"}}`)
	start(``)
}

// badBodies are bodies of updates that are refused and change nothing.
var badBodies = []string{
	`{"status":"IN_PROGRESS","statusDetails":{"a":"\ud83d"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"\ude00\ud83d"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a\ud83d":"b"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"b"},"unknown":"\udfff"}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a b":"c"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":1}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":null}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":""}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"":"a"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"\u0007"}}`,
	`{"status":"IN_PROGRESS","statusDetails":[]}`,
	`{"status":"IN_PROGRESS","statusDetails":"x"}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"` + strings.Repeat("x", 1025) + `"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"1":"1","2":"1","3":"1","4":"1","5":"1","6":"1","7":"1","8":"1","9":"1","10":"1","11":"1"}}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"b"},"stepTimeoutInMinutes":0}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"b"},"stepTimeoutInMinutes":10081}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"b"},"stepTimeoutInMinutes":-2}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"b"},"stepTimeoutInMinutes":true}`,
	`{"status":"IN_PROGRESS","statusDetails":{"a":"b"}`,
}
