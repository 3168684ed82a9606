package data

import (
	"errors"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/wire"
	"jobgate/gateway/signing/signingtest"
)

// Append functions append to dst, and on an error cut it back to its length.
func TestAppend(t *testing.T) {
	d, service, signing := newFake(t, signingtest.PerDeviceDocument)
	e := service.described.Execution
	f := func(what string, got []byte, want string) {
		t.Helper()
		if string(got) != "foo"+want {
			t.Errorf("%s: %s, want foo%s", what, got, want)
		}
	}
	foo := func() []byte { return []byte("foo") }
	f("string", wire.AppendString(foo(), `a"b`), `"a\"b"`)
	f("seconds", wire.AppendSeconds(foo(), "at", time.Unix(7, 999)), `,"at":7`)
	f("no seconds", wire.AppendSeconds(foo(), "at", time.Time{}), ``)
	f("number", wire.AppendNumber(foo(), "n", -7), `,"n":-7`)
	f("execution", wire.AppendExecution(foo(), &e, testTime),
		`{"jobId":"update-7","thingName":"sensor:1","status":"QUEUED","queuedAt":1795435200,"lastUpdatedAt":1795435200,"versionNumber":1,"executionNumber":1`)
	f("state", wire.AppendState(foo(), &e), `{"status":"QUEUED","versionNumber":1}`)
	f("no summaries", wire.AppendSummaries(foo(), nil), `[]`)
	f("summaries", wire.AppendSummaries(foo(), []jobs.Execution{e, e}),
		`[{"jobId":"update-7","queuedAt":1795435200,"lastUpdatedAt":1795435200,"versionNumber":1,"executionNumber":1},`+
			`{"jobId":"update-7","queuedAt":1795435200,"lastUpdatedAt":1795435200,"versionNumber":1,"executionNumber":1}]`)

	document := &service.described.Document
	e.Thing = ".." // not a value for a key
	got, err := d.documents.AppendTo(foo(), document, &e, testTime)
	if f("document that fails", got, ""); err == nil {
		t.Error("a document with a wrong value was rendered")
	}
	signing.Err, e.Thing = errors.New("down"), "a"
	got, err = d.documents.AppendTo(foo(), document, &e, testTime.Add(time.Hour))
	if f("document unsigned", got, ""); err == nil {
		t.Error("a document was signed without a session")
	}
}
