package dispatch_test

import (
	"errors"
	"strings"
	"testing"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/dispatch"
)

// pending returns t's pending executions, and the two notices of them.
func (f *fixture) pending() (p dispatch.Pending, notify, next map[string]any) {
	f.Helper()
	p, err := f.d.Pending("t", "", nil)
	f.ok(err)
	text, mark, err := f.d.AppendNext([]byte("foo"), "t", f.now, 0)
	f.ok(err)
	if mark != p.Next {
		f.Errorf("the marks of the next execution are %x and %x", mark, p.Next)
	}
	return p, f.object(strings.TrimPrefix(string(f.d.AppendNotify([]byte("foo"), &p, f.now)), "foo")), f.object(strings.TrimPrefix(string(text), "foo"))
}

// TestNotices are the captures of notify and notify-next. The marks distinguish the right changes.
func TestNotices(t *testing.T) {
	f := newFixture(t)
	idle, notify, next := f.pending()
	f.same("notify of an idle thing", notify, `{"timestamp":NOW,"jobs":{}}`)
	f.same("notify-next of an idle thing", next, `{"timestamp":NOW}`)
	if idle.Set != 0 || idle.Next != 0 {
		t.Error("an idle thing has a mark")
	}

	f.create("a", nil)
	const summary = `"jobId":"a","queuedAt":NOW,"lastUpdatedAt":NOW,"executionNumber":1,"versionNumber":1`
	first, notify, next := f.pending()
	f.same("notify", notify, `{"timestamp":NOW,"jobs":{"QUEUED":[{`+summary+`}]}}`)
	f.same("notify-next", next, `{"timestamp":NOW,"execution":{`+summary+`,"thingName":"t","status":"QUEUED","jobDocument":DOCUMENT}}`)

	_, _, err := f.StartNext(bg, f.now, jobs.StartNextRequest{Thing: "t"})
	f.ok(err)
	running, notify, _ := f.pending()
	if running.Set != first.Set || running.Next != first.Next {
		t.Error("starting the first job changes a mark")
	}
	if got := notify["jobs"].(map[string]any); got["QUEUED"] != nil || len(got["IN_PROGRESS"].([]any)) != 1 {
		t.Errorf("%v", notify)
	}
	f.create("b", nil) // not the next one
	both, _, _ := f.pending()
	if both.Set == first.Set || both.Next != first.Next {
		t.Error("a job that is not the next one changes notify-next, or does not change notify")
	}
	_, err = f.Update(bg, f.now, jobs.UpdateExecutionRequest{Thing: "t", JobID: "a", Status: jobs.Succeeded})
	f.ok(err)
	after, _, next := f.pending()
	if after.Set == both.Set || after.Next == both.Next || next["execution"].(map[string]any)["jobId"] != "b" {
		t.Errorf("the end of the first job does not change both notices: %v", next)
	}
	f.ok(f.CancelExecution(bg, f.now, jobs.CancelExecutionRequest{Thing: "t", JobID: "b"}))
	last, notify, next := f.pending()
	f.same("notify", notify, `{"timestamp":NOW,"jobs":{}}`)
	f.same("notify-next", next, `{"timestamp":NOW}`)
	if last.Set != 0 || last.Next != 0 {
		t.Error("an idle thing has a mark")
	}
}

// TestNoticeTooLarge: if the document is too large for the device, it gets the notice without it.
func TestNoticeTooLarge(t *testing.T) {
	f := newFixture(t)
	f.create("a", nil)
	text, mark, err := f.d.AppendNext(nil, "t", f.now, 200)
	f.ok(err)
	e := f.object(string(text))["execution"].(map[string]any)
	if e["jobId"] != "a" || e["jobDocument"] != nil || mark == 0 {
		t.Errorf("%s", text)
	}
	f.docs.err = errors.New("down")
	if text, _, err := f.d.AppendNext([]byte("foo"), "t", f.now, 0); err == nil || string(text) != "foo" {
		t.Errorf("%s, %v", text, err)
	}
}
