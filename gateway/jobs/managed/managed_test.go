package managed

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"jobgate/gateway/jobs"
)

func TestManagedTemplates(t *testing.T) {
	list, next := List("", jobs.Page{Limit: 5})
	rest, end := List("", jobs.Page{After: next, Limit: 5})
	if len(list) != 5 || len(rest) != 3 || end != "" {
		t.Fatalf("%d and %d of 8, %q", len(list), len(rest), end)
	}
	for _, m := range append(list, rest...) {
		if !json.Valid([]byte(m.Document)) || !strings.HasPrefix(m.Name, "AWS-") || m.Description == "" {
			t.Errorf("%+v", m)
		}
		for _, p := range m.Parameters {
			if !strings.Contains(m.Document, "${aws:iot:parameter:"+p.Key+"}") {
				t.Errorf("%s does not use %s", m.Name, p.Key)
			}
		}
	}
	run, err := Find("AWS-Run-Command", "1.0")
	if err != nil || !strings.Contains(run.Document, `"type":"runCommand"`) || len(run.Parameters) != 2 || run.Parameters[0].Key != "command" || run.Parameters[0].Optional {
		t.Errorf("AWS-Run-Command: %+v, %v", run, err)
	}
	if one, _ := List("AWS-Reboot", jobs.Page{Limit: 5}); len(one) != 1 {
		t.Errorf("%v", one)
	}
	for _, version := range []string{"", "1.0"} {
		if m, err := Find("AWS-Download-File", version); err != nil || len(m.Parameters) != 4 {
			t.Errorf("%q: %+v, %v", version, m, err)
		}
	}
	for _, bad := range [][2]string{{"AWS-Reboot", "2.0"}, {"AWS-Explode", ""}} {
		if _, err := Find(bad[0], bad[1]); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
