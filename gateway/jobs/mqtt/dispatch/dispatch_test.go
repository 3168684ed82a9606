package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobdoc"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

var bg = context.Background()

// fixture is a service with one thing and its store in a file, and its dispatcher.
type fixture struct {
	testing.TB
	*operations.Service
	d    *dispatch.Dispatcher
	docs *documents
	now  time.Time
}

// documents renders without signing; it fails with err, if set.
type documents struct{ err error }

func (d *documents) AppendDocument(dst []byte, doc *jobs.Document, _ *jobs.Execution, _ time.Time) ([]byte, error) {
	if d.err != nil {
		return dst, d.err
	}
	return doc.Template.AppendTo(dst, &jobdoc.Context{})
}

const document = `{"do":"it","text":"a \"quoted\" \\ back\\slash, é, 😀, tab\t","n":[1,2]}`

func newFixture(t testing.TB) *fixture {
	f := &fixture{TB: t, docs: &documents{}, now: time.Unix(1795435200, 900e6)}
	engine, err := sqlite.Open(bg, sqlite.Options{Path: filepath.Join(t.TempDir(), "jobs.db"), NoSync: true})
	f.ok(err)
	store := rules.Over(engine)
	t.Cleanup(func() { f.ok(store.Close()) })
	f.Service, err = operations.New(operations.Config{Store: store, Names: jobs.Names{Region: "us-east-1", Account: "123456789012"}})
	f.ok(err)
	f.d, err = dispatch.New(dispatch.Config{Service: f.Service, Documents: f.docs})
	f.ok(err)
	for _, thing := range []string{"t", "u"} {
		_, err = f.CreateThing(bg, f.now, jobs.CreateThingRequest{Name: thing})
		f.ok(err)
	}
	return f
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// create creates a job for t, a second after the previous one.
func (f *fixture) create(id string, edit func(*jobs.CreateJobRequest)) {
	f.Helper()
	f.now = f.now.Add(time.Second)
	r := jobs.CreateJobRequest{ID: id, Document: document, Targets: []string{f.Names().ThingARN("t")}}
	if edit != nil {
		edit(&r)
	}
	_, err := f.CreateJob(bg, f.now, r)
	f.ok(err)
}

// ask sends a payload to a topic of t's jobs, and returns the answer.
func (f *fixture) ask(rest, payload string) (map[string]any, dispatch.Code) {
	f.Helper()
	return f.askFor("t", rest, payload, 0)
}

func (f *fixture) askFor(thing, rest, payload string, limit int) (map[string]any, dispatch.Code) {
	f.Helper()
	topic, ok := dispatch.ParseTopic("$aws", []byte("$aws/things/"+thing+"/jobs/"+rest))
	if !ok {
		f.Fatalf("%s is not a topic of a thing's jobs", rest)
	}
	r := dispatch.Request{Thing: thing, Topic: topic, Payload: []byte(payload), Now: f.now, Limit: limit}
	answer, code := f.d.Answer([]byte("foo"), &r)
	text, ok := strings.CutPrefix(string(answer), "foo")
	if !ok {
		f.Fatalf("%s: the answer is not appended: %s", rest, answer)
	}
	return f.object(text), code
}

func (f *fixture) object(text string) map[string]any {
	f.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var m map[string]any
	if err := decoder.Decode(&m); err != nil || decoder.More() {
		f.Fatalf("%s: %v", text, err)
	}
	return m
}

// accepted asks, and compares the whole answer with want, JSON, in which NOW is the time.
func (f *fixture) accepted(rest, payload, want string) {
	f.Helper()
	got, code := f.ask(rest, payload)
	if code != dispatch.Accepted {
		f.Fatalf("%s %s: rejected: %v", rest, payload, got)
	}
	f.same(rest+" "+payload, got, want)
}

// rejected asks, and compares the answer with the code and want, which may omit the message.
func (f *fixture) rejected(rest, payload string, code dispatch.Code, want string) {
	f.Helper()
	got, is := f.ask(rest, payload)
	if is != code || got["code"] != code.String() {
		f.Fatalf("%s %s: code %q, want %q: %v", rest, payload, is, code, got)
	}
	if message, _ := got["message"].(string); message == "" {
		f.Errorf("%s %s: no message: %v", rest, payload, got)
	}
	delete(got, "code")
	if !strings.Contains(want, `"message"`) {
		delete(got, "message")
	}
	f.same(rest+" "+payload, got, want)
}

func (f *fixture) same(what string, got map[string]any, want string) {
	f.Helper()
	expected := f.object(f.times(want))
	if !reflect.DeepEqual(got, expected) {
		text, _ := json.Marshal(got)
		f.Fatalf("%s:\n got %s\nwant %s", what, text, f.times(want))
	}
}

// times replaces NOW in a text by the time, in whole seconds.
func (f *fixture) times(text string) string {
	now, _ := json.Marshal(f.now.Unix())
	return strings.NewReplacer("NOW", string(now), "DOCUMENT", document).Replace(text)
}

// TestLife is the first table of the captures, row by row: AWS's answers for one job.
func TestLife(t *testing.T) {
	f := newFixture(t)
	f.accepted("$next/get", `{"clientToken":"c-1"}`, `{"clientToken":"c-1","timestamp":NOW}`) // an idle thing: no execution
	f.accepted("start-next", ``, `{"timestamp":NOW}`)
	f.accepted("get", ``, `{"timestamp":NOW,"inProgressJobs":[],"queuedJobs":[]}`)

	f.create("j", nil)
	const summary = `"jobId":"j","queuedAt":NOW,"lastUpdatedAt":NOW,"executionNumber":1`
	f.accepted("get", `{"clientToken":"c"}`, `{"clientToken":"c","timestamp":NOW,"inProgressJobs":[],"queuedJobs":[{`+summary+`,"versionNumber":1}]}`)
	const queued = `"execution":{` + summary + `,"thingName":"t","status":"QUEUED","versionNumber":1`
	f.accepted("$next/get", ``, `{"timestamp":NOW,`+queued+`,"jobDocument":DOCUMENT}}`)
	f.accepted("$next/get", `{"includeJobDocument":false}`, `{"timestamp":NOW,`+queued+`}}`)
	f.accepted("j/get", `{"executionNumber":"1","jobId":"j","thingName":"t"}`, `{"timestamp":NOW,`+queued+`,"jobDocument":DOCUMENT}}`)

	const started = `{"timestamp":NOW,"execution":{` + summary + `,"thingName":"t","status":"IN_PROGRESS","versionNumber":2,"startedAt":NOW,"statusDetails":{"step":"é"},"jobDocument":DOCUMENT}}`
	f.accepted("start-next", `{"statusDetails":{"step":"é"}}`, started)
	f.accepted("start-next", `{"statusDetails":{"step":"2"}}`, started) // repeated: nothing changes

	f.accepted("j/update", `{"status":"IN_PROGRESS","clientToken":"d"}`, `{"timestamp":NOW,"clientToken":"d"}`)
	f.accepted("j/update", `{"status":"IN_PROGRESS","includeJobExecutionState":true,"includeJobDocument":true,"expectedVersion":"3"}`,
		`{"timestamp":NOW,"executionState":{"status":"IN_PROGRESS","versionNumber":4,"statusDetails":{"step":"é"}},"jobDocument":DOCUMENT}`)
	f.accepted("j/update", `{"status":"SUCCEEDED","expectedVersion":4,"statusDetails":{}}`, `{"timestamp":NOW}`)
	f.rejected("j/update", `{"status":"SUCCEEDED","clientToken":"e"}`, dispatch.InvalidStateTransition,
		`{"timestamp":NOW,"clientToken":"e","executionState":{"status":"SUCCEEDED","versionNumber":5}}`)
	f.rejected("j/get", ``, dispatch.TerminalStateReached, `{"timestamp":NOW}`)
}

// TestRejections checks each code, in AWS's form.
func TestRejections(t *testing.T) {
	f := newFixture(t)
	f.create("j", nil)
	f.rejected("j/update", `{"status":"IN_PROGRESS","expectedVersion":99,"clientToken":"c"}`, dispatch.VersionMismatch,
		`{"message":"Expected version 99 but found version 1","executionState":{"status":"QUEUED","versionNumber":1},"clientToken":"c","timestamp":NOW}`)
	f.rejected("j/update", `{"status":"IN_PROGRESS","expectedVersion":0}`, dispatch.VersionMismatch,
		`{"message":"Expected version 0 but found version 1","executionState":{"status":"QUEUED","versionNumber":1},"timestamp":NOW}`)
	f.rejected("nope/get", `{"clientToken":"c"}`, dispatch.ResourceNotFound, `{"timestamp":NOW,"clientToken":"c"}`)
	f.rejected("nope/update", `{"status":"FAILED"}`, dispatch.ResourceNotFound, `{"timestamp":NOW}`)
	for _, payload := range []string{`{`, `[]`, `"x"`, `{} {}`, ` `, `{"a":"` + "\xff" + `"}`, "null", `{"clientToken":"c",}`} {
		f.rejected("get", payload, dispatch.InvalidJSON, `{"timestamp":NOW}`)
	}
	for _, rest := range []string{"nothing", "notify", "notify-next", "get/accepted", "j/get/accepted", "j", "j/x", "j/namespace-/get", "j/other-gg/get", "a/b/c/d", ""} {
		f.rejected(rest, `{}`, dispatch.InvalidTopic, `{"timestamp":NOW}`)
	}
	invalid := func(rest, payload string) {
		t.Helper()
		f.rejected(rest, payload, dispatch.InvalidRequest, `{"timestamp":NOW}`)
	}
	invalid("$next/update", `{"status":"FAILED"}`)
	invalid("a b/get", ``)
	invalid(strings.Repeat("j", 65)+"/get", ``)
	invalid("j/update", ``)
	invalid("j/update", `{"status":"DONE"}`)
	invalid("j/update", `{"status":7}`)
	invalid("j/update", `{"status":"QUEUED"}`)
	invalid("j/update", `{"status":"FAILED","statusDetails":{"a b":"x"}}`)
	invalid("j/update", `{"status":"FAILED","statusDetails":{"a":1}}`)
	invalid("j/update", `{"status":"FAILED","statusDetails":"a"}`)
	invalid("j/update", `{"status":"FAILED","expectedVersion":"one"}`)
	invalid("j/update", `{"status":"FAILED","expectedVersion":1.5}`)
	invalid("j/update", `{"status":"FAILED","executionNumber":0}`)
	invalid("j/update", `{"status":"FAILED","includeJobDocument":"yes"}`)
	invalid("j/update", `{"status":"IN_PROGRESS","stepTimeoutInMinutes":0}`)
	invalid("j/update", `{"status":"IN_PROGRESS","stepTimeoutInMinutes":-2}`)
	invalid("start-next", `{"stepTimeoutInMinutes":-1}`)
	invalid("start-next", `{"stepTimeoutInMinutes":10081}`)
	invalid("get", `{"clientToken":7}`)
	invalid("get", `{"clientToken":"`+strings.Repeat("é", 65)+`"}`)
	f.accepted("get", `{"clientToken":"a\"\u00e9"}`, `{"timestamp":NOW,"clientToken":"a\"é","inProgressJobs":[],"queuedJobs":[{"jobId":"j","queuedAt":NOW,"lastUpdatedAt":NOW,"versionNumber":1,"executionNumber":1}]}`)
}

// TestNames: jobs may have the names of topic levels.
func TestNames(t *testing.T) {
	f := newFixture(t)
	for _, id := range []string{"get", "update", "notify", "notify-next", "start-next", "accepted", "namespace-x", "jobs"} {
		f.create(id, nil)
		got, code := f.ask(id+"/get", ``)
		if e, _ := got["execution"].(map[string]any); code != dispatch.Accepted || e["jobId"] != id {
			t.Errorf("%s: %v %v", id, code, got)
		}
		f.accepted(id+"/update", `{"status":"SUCCEEDED"}`, `{"timestamp":NOW}`)
	}
}

// TestNamespaces checks Greengrass's topics.
func TestNamespaces(t *testing.T) {
	f := newFixture(t)
	f.create("green", func(r *jobs.CreateJobRequest) { r.NamespaceID = "aws-gg-deployment" })
	f.create("plain", nil)
	next := func(rest, want string) {
		t.Helper()
		got, _ := f.ask(rest, ``)
		if e, _ := got["execution"].(map[string]any); e["jobId"] != want {
			t.Errorf("%s: %v, want %s", rest, got, want)
		}
	}
	next("$next/get", "plain")
	next("$next/namespace-aws-gg-deployment/get", "green")
	next("start-next", "plain")
	f.rejected("plain/namespace-aws-gg-deployment/update", `{"status":"SUCCEEDED"}`, dispatch.ResourceNotFound, `{"timestamp":NOW}`)
	f.accepted("green/namespace-aws-gg-deployment/update", `{"status":"SUCCEEDED"}`, `{"timestamp":NOW}`)
}

// TestTooLarge: a request whose answer is too large for the device is rejected, and changes nothing.
func TestTooLarge(t *testing.T) {
	f := newFixture(t)
	f.create("j", nil)
	for _, rest := range []string{"start-next", "$next/get", "j/get", "get"} {
		got, code := f.askFor("t", rest, ``, 60)
		if code != dispatch.InvalidRequest || !strings.Contains(got["message"].(string), "Maximum Packet Size") {
			t.Errorf("%s: %v %v", rest, code, got)
		}
	}
	if got, code := f.askFor("t", "j/update", `{"status":"SUCCEEDED","includeJobDocument":true}`, 60); code != dispatch.InvalidRequest {
		t.Errorf("%v %v", code, got)
	}
	e, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "t", JobID: "j"})
	f.ok(err)
	if e.Execution.Version != 1 || e.Execution.Status != jobs.Queued {
		t.Errorf("the execution is %v, version %d", e.Execution.Status, e.Execution.Version)
	}
}

// TestUnsigned: a document that cannot be signed starts nothing.
func TestUnsigned(t *testing.T) {
	f := newFixture(t)
	f.create("j", nil)
	f.docs.err = errors.New("no session: secret detail")
	for _, rest := range []string{"start-next", "$next/get"} {
		got, code := f.ask(rest, ``)
		if code != dispatch.InternalError || strings.Contains(got["message"].(string), "secret") {
			t.Errorf("%s: %v %v", rest, code, got)
		}
	}
	e, _, err := f.Describe(bg, jobs.DescribeExecutionRequest{Thing: "t", JobID: "j"})
	f.ok(err)
	if e.Execution.Version != 1 {
		t.Errorf("the execution has version %d", e.Execution.Version)
	}
}
