package data

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception/exceptiontest"
	"jobgate/gateway/signing/signingtest"
	"jobgate/gateway/target"
)

// ask makes one request as an unauthenticated device.
func ask(d *Plane, method, uri, body string) *fasthttp.Response {
	var ctx fasthttp.RequestCtx
	request(&ctx, method, uri, body)
	new(device).serve(d, &ctx, testTime, nil, false)
	return &ctx.Response
}

func TestMatch(t *testing.T) {
	d, _, _ := newFake(t, plainDocument)
	f := func(method, path string, want operation) {
		t.Helper()
		var asked target.Target
		if err := asked.Parse([]byte(path)); err != nil {
			t.Fatal(err)
		}
		x := Exchange{Target: &asked}
		if got := d.Match([]byte(method), &x); got != (want != none) {
			t.Errorf("%s %s: Match says %v", method, path, got)
		}
		if x.operation != want {
			t.Errorf("%s %s: got %s, want %s", method, path, names[x.operation], names[want])
		}
	}
	f("GET", "/things/t/jobs", getPending)
	f("GET", "http://elsewhere.example/things/t/jobs?a=b", getPending)
	f("GET", "/things/t/jobs/j", describe)
	f("GET", "/things/t/jobs/$next", describe)
	f("GET", "/things/t%3A1/jobs/%24next", describe)
	f("PUT", "/things/t/jobs/$next", startNext)
	f("PUT", "/things/t/jobs/%24next", startNext)
	f("POST", "/things/t/jobs/j", update)
	f("POST", "/things/t/jobs/$next", update)
	f("PUT", "/things/t/jobs/j", none)
	f("PUT", "/things/t/jobs/%24NEXT", none)
	f("POST", "/things/t/jobs", none)
	f("DELETE", "/things/t/jobs/j", none)
	f("HEAD", "/things/t/jobs/j", none)
	f("GET", "/things/t/jobs/", none)
	f("GET", "/things//jobs", none)
	f("GET", "/things/t/jobs/j/document", none)
	f("GET", "/things/t/shadow", none)
	f("GET", "/things/t", none)
	f("GET", "/things", none)
	f("GET", "//things/t/jobs", none)
	f("GET", "/things/t/jobs%2Fj", none)
}

// The model contains every operation.
func TestModelIsComplete(t *testing.T) {
	d, _, _ := newFake(t, plainDocument)
	for op := getPending; op <= update; op++ {
		if d.model[op] == nil {
			t.Errorf("the model lacks %s", names[op])
		}
	}
}

func TestDataAnswers(t *testing.T) {
	d, service, _ := newFake(t, plainDocument)
	f := func(method, uri, body, want string) {
		t.Helper()
		r := ask(d, method, uri, body)
		if got := string(r.Body()); got != want || r.StatusCode() != http.StatusOK {
			t.Errorf("%s %s: got %d %s\nwant %s", method, uri, r.StatusCode(), got, want)
		}
		if got := string(r.Header.ContentType()); got != "application/json" {
			t.Errorf("%s %s: content type %q", method, uri, got)
		}
		if got := string(r.Header.Peek("Cache-Control")); got != "no-store" {
			t.Errorf("%s %s: cache control %q", method, uri, got)
		}
	}
	const execution = `{"jobId":"update-7","thingName":"sensor:1","status":"QUEUED","queuedAt":1795435200,"lastUpdatedAt":1795435200,"versionNumber":1,"executionNumber":1`
	const started = `{"jobId":"update-7","thingName":"sensor:1","status":"IN_PROGRESS","queuedAt":1795435200,"startedAt":1795435200,"lastUpdatedAt":1795435200,"versionNumber":2,"executionNumber":1`
	const document = `,"jobDocument":"{\"text\":\"nothing \\\"signed\\\"\"}"`
	f("GET", "/things/sensor:1/jobs/$next", "", `{"execution":`+execution+document+`}}`)
	f("GET", "/things/sensor%3A1/jobs/%24next?includeJobDocument=true", "", `{"execution":`+execution+document+`}}`)
	f("GET", "/things/sensor:1/jobs/update-7?includeJobDocument=false&executionNumber=1", "", `{"execution":`+execution+`}}`)
	f("PUT", "/things/sensor:1/jobs/$next", "{}", `{"execution":`+started+document+`}}`)
	f("PUT", "/things/sensor:1/jobs/$next", "", `{"execution":`+started+document+`}}`)
	f("POST", "/things/sensor:1/jobs/update-7", `{"status":"SUCCEEDED"}`, `{}`)
	f("POST", "/things/sensor:1/jobs/update-7", `{"status":"FAILED","statusDetails":{"why":"<é>"},"includeJobExecutionState":true}`,
		`{"executionState":{"status":"FAILED","statusDetails":{"why":"<é>"},"versionNumber":2}}`)
	f("POST", "/things/sensor:1/jobs/update-7", `{"status":"IN_PROGRESS","includeJobDocument":true,"includeJobExecutionState":true,"future":[1]}`,
		`{"executionState":{"status":"IN_PROGRESS","versionNumber":2}`+document+`}`)
	const summary = `{"jobId":"update-7","queuedAt":1795435200,"lastUpdatedAt":1795435200,"versionNumber":1,"executionNumber":1}`
	f("GET", "/things/sensor:1/jobs", "", `{"inProgressJobs":[],"queuedJobs":[`+summary+`]}`)
	service.found = false
	f("GET", "/things/sensor:1/jobs/$next", "", `{}`)
	f("PUT", "/things/sensor:1/jobs/$next", "{}", `{}`)
	f("GET", "/things/sensor:1/jobs", "", `{"inProgressJobs":[],"queuedJobs":[]}`)
}

// The answer shows the store's time-outs and details.
func TestDescribeRunning(t *testing.T) {
	d, service, _ := newFake(t, plainDocument)
	e := &service.described.Execution
	e.Status, e.StartedAt, e.Deadline = jobs.InProgress, testTime, testTime.Add(90*time.Second+time.Millisecond)
	e.Details = jobs.NewStatusDetails(map[string]string{"b": `"`, "a": "1"})
	got := string(ask(d, "GET", "/things/sensor:1/jobs/update-7?includeJobDocument=false", "").Body())
	want := `{"execution":{"jobId":"update-7","thingName":"sensor:1","status":"IN_PROGRESS","statusDetails":{"a":"1","b":"\""},` +
		`"queuedAt":1795435200,"startedAt":1795435200,"lastUpdatedAt":1795435200,"approximateSecondsBeforeTimedOut":90,"versionNumber":1,"executionNumber":1}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A device's document is JSON within JSON, with a URL whose signature is valid.
func TestDescribeSigned(t *testing.T) {
	f := func(document, path string) {
		t.Helper()
		d, _, _ := newFake(t, document)
		for _, method := range []string{"GET", "PUT"} {
			r := ask(d, method, "/things/sensor:1/jobs/$next", "")
			var answer struct {
				Execution struct{ JobDocument string }
			}
			if err := json.Unmarshal(r.Body(), &answer); err != nil {
				t.Fatalf("%s: %v", r.Body(), err)
			}
			signed, err := url.Parse(strings.Split(answer.Execution.JobDocument, `"`)[len(strings.Split(answer.Execution.JobDocument, `"`))-2])
			if err != nil {
				t.Fatal(err)
			}
			if signed.EscapedPath() != path || signed.Query().Get("X-Amz-Date") != "20261123T120000Z" || signed.Query().Get("X-Amz-Expires") != "3600" {
				t.Errorf("%s: signed %s", method, signed.Redacted())
			}
		}
	}
	f(signingtest.SharedDocument, "/firmware/v7.bin")
	f(signingtest.PerDeviceDocument, "/firmware/sensor%3A1/update-7/1.bin")
}

func TestDataRefuses(t *testing.T) {
	d, service, _ := newFake(t, plainDocument)
	f := func(method, uri, body string, status int, name, message string) {
		t.Helper()
		service.updated = nil
		r := ask(d, method, uri, body)
		exceptiontest.Check(t, method+" "+uri+" "+body, r, status, name, message)
		if service.updated != nil {
			t.Errorf("%s %s %s: reached the service", method, uri, body)
		}
	}
	bad := func(method, uri, body, message string) {
		t.Helper()
		f(method, uri, body, http.StatusBadRequest, "InvalidRequestException", message)
	}
	const at = "/things/t/jobs/j"
	bad("GET", "/things/"+strings.Repeat("t", 129)+"/jobs", "", "'thingName'")
	bad("GET", "/things/a.b/jobs", "", "'thingName'")
	bad("GET", "/things/a%2Fb/jobs", "", "'thingName'")
	bad("GET", "/things/%FF/jobs", "", "'thingName'")
	bad("GET", "/things/%zz/jobs", "", "percent-encoded")
	bad("GET", "/things/t%3/jobs", "", "percent-encoded")
	bad("GET", "/things/t/jobs/"+strings.Repeat("j", 65), "", "'jobId'")
	bad("GET", "/things/t/jobs/a:b", "", "'jobId'")
	bad("GET", "/things/t/jobs/$last", "", "'jobId'")
	bad("POST", "/things/t/jobs/$next", `{"status":"SUCCEEDED"}`, "'jobId'")
	bad("GET", at+"?includeJobDocument=yes", "", "includeJobDocument")
	bad("GET", at+"?executionNumber=0", "", "executionNumber")
	bad("GET", at+"?executionNumber=x", "", "executionNumber")
	bad("GET", at+"?executionNumber=9223372036854775808", "", "executionNumber")
	bad("POST", at, "", "Value null at 'status'")
	bad("POST", at, "{}", "Value null at 'status'")
	bad("POST", at, `{"status":null}`, "Value null at 'status'")
	bad("POST", at, `{"status":"DONE"}`, "enum value set")
	bad("POST", at, `{"status":1}`, "'status'")
	bad("POST", at, `[]`, "JSON object")
	bad("POST", at, `null`, "JSON object")
	bad("POST", at, `{"status":"FAILED"`, "JSON object")
	bad("POST", at, `{"status":"FAILED"} {}`, "more than")
	bad("POST", at, "{\"status\":\"FAILED\",\"statusDetails\":{\"a\":\"\xff\"}}", "UTF-8")
	bad("POST", at, `{"status":"FAILED","statusDetails":[]}`, "'statusDetails'")
	bad("POST", at, `{"status":"FAILED","statusDetails":{"a b":"c"}}`, "Map keys")
	bad("POST", at, `{"status":"FAILED","statusDetails":{"a":1}}`, "Map value")
	bad("POST", at, `{"status":"FAILED","statusDetails":{"a":"\u0007"}}`, "Map value")
	bad("POST", at, `{"status":"FAILED","statusDetails":{"a":"`+strings.Repeat("x", 1025)+`"}}`, "Map value")
	bad("POST", at, `{"status":"FAILED","statusDetails":{"a":""}}`, "Map value")
	bad("POST", at, `{"status":"FAILED","statusDetails":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":"1"}}`, "limit is 10")
	bad("POST", at, `{"status":"FAILED","expectedVersion":"1x"}`, "'expectedVersion'")
	bad("POST", at, `{"status":"FAILED","expectedVersion":""}`, "'expectedVersion'")
	bad("POST", at, `{"status":"FAILED","expectedVersion":"1.5"}`, "'expectedVersion'")
	bad("POST", at, `{"status":"FAILED","expectedVersion":"null"}`, "'expectedVersion'")
	bad("POST", at, `{"status":"FAILED","expectedVersion":1.5}`, "'expectedVersion'")
	bad("POST", at, `{"status":"FAILED","stepTimeoutInMinutes":10081}`, "'stepTimeoutInMinutes'")
	bad("POST", at, `{"status":"FAILED","stepTimeoutInMinutes":-2}`, "'stepTimeoutInMinutes'")
	bad("POST", at, `{"status":"FAILED","stepTimeoutInMinutes":0}`, "stepTimeoutInMinutes")
	bad("POST", at, `{"status":"FAILED","stepTimeoutInMinutes":"10081"}`, "'stepTimeoutInMinutes'")
	bad("POST", at, `{"status":"FAILED","includeJobDocument":"yes"}`, "'includeJobDocument'")
	bad("POST", at, `{"status":1}`, "'status'")
	bad("POST", at, `{"status":"FAILED","executionNumber":0}`, "'executionNumber'")
	bad("PUT", "/things/t/jobs/$next", `{"stepTimeoutInMinutes":-1}`, "'stepTimeoutInMinutes'")
	bad("PUT", "/things/t/jobs/$next", `{"statusDetails":"x"}`, "'statusDetails'")
	f("DELETE", at, "", http.StatusNotFound, "UnknownOperationException", "no such operation")
}

func TestDataExceptions(t *testing.T) {
	d, service, _ := newFake(t, plainDocument)
	f := func(method string, err error, status int, name, body string) {
		t.Helper()
		service.err = err
		r := ask(d, method, "/things/t/jobs/j", `{"status":"SUCCEEDED"}`)
		exceptiontest.Check(t, method+" "+name, r, status, name, "")
		if got := string(r.Body()); got != body {
			t.Errorf("%s: body %s, want %s", name, got, body)
		}
	}
	state := &jobs.Execution{Status: jobs.Succeeded, Version: 3, Details: `{"a":"b"}`}
	withState := func(kind error) error {
		e := jobs.Errorf(kind, "no")
		e.Execution = state
		return e
	}
	const shown = `{"message":"no","executionState":{"status":"SUCCEEDED","statusDetails":{"a":"b"},"versionNumber":3}}`
	f("GET", jobs.Errorf(jobs.ErrNotFound, "Job <j> does not exist."), 404, "ResourceNotFoundException", `{"message":"Job <j> does not exist."}`)
	f("GET", jobs.ErrNotFound, 404, "ResourceNotFoundException", `{"message":"The resource does not exist."}`)
	f("GET", withState(jobs.ErrTerminalState), 410, "TerminalStateException", shown)
	f("POST", withState(jobs.ErrInvalidStateTransition), 409, "InvalidStateTransitionException", shown)
	f("POST", withState(jobs.ErrVersionConflict), 409, "InvalidStateTransitionException", shown)
	f("POST", jobs.Errorf(jobs.ErrInvalidRequest, "no"), 400, "InvalidRequestException", `{"message":"no"}`)
	f("POST", jobs.Errorf(jobs.ErrConflict, "no"), 503, "ServiceUnavailableException", `{"message":"no"}`)
	f("POST", jobs.Errorf(jobs.ErrLimitExceeded, "no"), 429, "ThrottlingException", `{"message":"no"}`)
	f("POST", jobs.ErrClosed, 503, "ServiceUnavailableException", `{"message":"The service is shutting down."}`)
	f("POST", context.DeadlineExceeded, 503, "ServiceUnavailableException", `{"message":"The store is busy; try again."}`)
	f("POST", http.ErrBodyNotAllowed, 500, "InternalFailureException", `{"message":"The gateway failed; its log says why."}`)
}

// A device that is authenticated as one thing cannot make requests for another.
func TestServeAuthenticated(t *testing.T) {
	d, _, _ := newFake(t, plainDocument)
	f := func(uri, thing string, status int) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		request(&ctx, "GET", uri, "")
		new(device).serve(d, &ctx, testTime, []byte(thing), true)
		if got := ctx.Response.StatusCode(); got != status {
			t.Errorf("%s as %q: %d, want %d", uri, thing, got, status)
		}
	}
	f("/things/sensor:1/jobs", "sensor:1", 200)
	f("/things/sensor%3A1/jobs", "sensor:1", 200)
	f("/things/sensor:1/jobs", "sensor:2", 403)
	f("/things/sensor:1/jobs", "", 403)
}

// AWS's own device library quotes numbers and booleans, and AWS accepts them.
func TestQuotedNumbers(t *testing.T) {
	d, service, _ := newFake(t, plainDocument)
	f := func(body string, want jobs.UpdateExecutionRequest) {
		t.Helper()
		service.updated = nil
		r := ask(d, "POST", "/things/e1/jobs/x1", body)
		if r.StatusCode() != http.StatusOK || service.updated == nil {
			t.Errorf("%s: %d %s", body, r.StatusCode(), r.Body())
			return
		}
		got := *service.updated
		if got.ExpectedVersion != want.ExpectedVersion || got.Number != want.Number || got.StepMinutes != want.StepMinutes || got.Document != want.Document {
			t.Errorf("%s: %+v", body, got)
		}
	}
	f(`{"status":"IN_PROGRESS","expectedVersion":"1","clientToken":"c"}`, jobs.UpdateExecutionRequest{ExpectedVersion: 1})
	f(`{"status":"IN_PROGRESS","executionNumber":"1"}`, jobs.UpdateExecutionRequest{Number: 1})
	f(`{"status":"IN_PROGRESS","stepTimeoutInMinutes":"5"}`, jobs.UpdateExecutionRequest{StepMinutes: 5})
	f(`{"status":"IN_PROGRESS","stepTimeoutInMinutes":"-1"}`, jobs.UpdateExecutionRequest{StepMinutes: -1})
	f(`{"status":"IN_PROGRESS","includeJobDocument":"true","includeJobExecutionState":"false"}`, jobs.UpdateExecutionRequest{Document: true})
	f(`{"status":"IN_PROGRESS","expectedVersion":2,"includeJobDocument":false}`, jobs.UpdateExecutionRequest{ExpectedVersion: 2})
}
