package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/events"
)

// TestAudit: each change by an operator has a line, failed and refused ones too; reads have none.
func TestAudit(t *testing.T) {
	p := newPlane(t)
	var out bytes.Buffer
	operations, err := control.New(control.Config{Service: p.service, Audit: slog.New(slog.NewJSONHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := events.New(p.events)
	if err != nil {
		t.Fatal(err)
	}
	p.control, err = New(Config{Control: operations, Data: p.data, Events: stream, Verifier: p.verifier, Clock: p.control.config.Clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.control.Close)
	f := func(who signature, method, path, body, want string) {
		t.Helper()
		out.Reset()
		p.do(who, method, path, body)
		line := struct {
			Key      string `json:"access_key"`
			Name     string `json:"operation"`
			Resource string `json:"resource"`
			Outcome  string `json:"outcome"`
		}{}
		if out.Len() > 0 {
			if err := json.Unmarshal(out.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
		}
		got := strings.Join(slices.DeleteFunc([]string{line.Key, line.Name, line.Resource, line.Outcome}, func(s string) bool { return s == "" }), " ")
		if got != want {
			t.Errorf("%s %s: %q, want %q", method, path, got, want)
		}
	}
	f(operator, "POST", "/things/sensor-1", "{}", operator.id+" CreateThing thing/sensor-1 done")
	f(operator, "GET", "/things/sensor-1", "", "")
	f(operator, "POST", "/-/document/check", `{"document":"{"}`, "")
	f(dashboard, "DELETE", "/things/sensor-1", "", dashboard.id+" DeleteThing thing/sensor-1 AccessDenied")
	f(operator, "POST", "/-/jobs/none/retry", `{"jobId":"again"}`, operator.id+" RetryJob job/none job/again ResourceNotFound")
	f(operator, "PUT", "/jobs/none/cancel", "{}", operator.id+" CancelJob job/none ResourceNotFound")
	f(operator, "PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"sensor-1","thingGroupName":"none"}`,
		operator.id+" AddThingToThingGroup thing/sensor-1 thinggroup/none ResourceNotFound")
}
