package jobs

import (
	"testing"
	"time"
)

// The subscribers of other gateways get a device's details only with the execution's end.
func TestNoticeDetails(t *testing.T) {
	f := func(status Status, want StatusDetails) {
		t.Helper()
		e := Execution{Thing: "a", Job: &Job{ID: "j"}, Number: 1, Version: 3, Status: status, Details: NewStatusDetails(map[string]string{"step": "last"})}
		text, err := NoticeExecutions(EventExecution, []Execution{e})[0].Encode()
		if err != nil {
			t.Fatal(err)
		}
		n, err := DecodeNotice(text)
		if err != nil {
			t.Fatal(err)
		}
		n.Events(time.Now(), func(got *Event) {
			if got.Status != status || got.Details != want {
				t.Errorf("%v: details %q, want %q", got.Status, got.Details, want)
			}
		})
	}
	f(InProgress, "")
	for _, ended := range []Status{Succeeded, Failed, Rejected, TimedOut, Removed, Canceled} {
		f(ended, `{"step":"last"}`)
	}
}
