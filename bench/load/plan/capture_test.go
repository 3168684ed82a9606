package plan

import (
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	doc := `{"execution":{"jobId":"job-1","versionNumber":3,"list":[{"x":"y"}],"bad":"a/b","deep":{}}}`
	f := func(path, want string) {
		t.Helper()
		if got := string(lookup([]byte(doc), strings.Split(path, "."))); got != want {
			t.Errorf("lookup(%s) = %q, want %q", path, got, want)
		}
	}
	f("execution.jobId", "job-1")
	f("execution.versionNumber", "3")
	f("execution.list.0.x", "y")
	f("execution.list.1.x", "")
	f("execution.nothing", "")
	f("execution.bad", "") // the slash would change the path
	f("execution.deep", "")
	f("x", "")
	if got := lookup([]byte(`{"truncated":`), []string{"truncated"}); got != nil {
		t.Errorf("lookup in a truncated document = %q, want nil", got)
	}
}
