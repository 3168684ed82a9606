package report

import (
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		if got := Target(url); got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
		if again := Target(want); again != want {
			t.Errorf("%q is shown as %q the second time", want, again)
		}
	}
	f("http://host:8080/things/{thingName}/jobs/$next", "http://host:8080/things/{thingName}/jobs/$next")
	f("http://host/a?token=secret&x=1", "http://host/a?…")
	f("http://host?token=secret", "http://host?…")
	f("http://host/a?", "http://host/a?")
	f("http://host/a#secret", "http://host/a#…")
	f("https://user:secret@host/a", "https://…@host/a")
	f("https://user:se@cret@host/a@b", "https://…@host/a@b")
	f("user:secret@host", "…@host")
	f("", "")
}

// TestReadJSONTarget reads a report of an earlier release, whose target includes the query.
func TestReadJSONTarget(t *testing.T) {
	var text strings.Builder
	r := &Result{Format: Format, Plan: Plan{Target: "http://u:secret@host/a?token=secret", Loop: ClosedLoop}, Latency: NewHistogram()}
	if err := r.WriteJSON(&text); err != nil {
		t.Fatal(err)
	}
	got, err := ReadJSON(strings.NewReader(text.String()))
	if err != nil || got.Plan.Target != "http://…@host/a?…" {
		t.Fatalf("the target is %v, %v", got, err)
	}
}
