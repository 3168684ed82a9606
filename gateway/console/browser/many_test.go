package browser

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/rules"
	"jobgate/gateway/jobs/sqlite"
)

// register creates a store with things in the group "all".
func register(t *testing.T, path string, things int) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	store, now := rules.Over(e), time.Now()
	err = store.CreateGroup(t.Context(), jobs.Group{Name: "all", ID: "all", Version: 1, CreatedAt: now}, nil)
	const chunk = 5000
	for done := 0; done < things && err == nil; done += chunk {
		list, names := make([]jobs.Thing, min(chunk, things-done)), []string(nil)
		for i := range list {
			name := fmt.Sprintf("thing-%012d", done+i)
			list[i], names = jobs.Thing{Name: name, ID: "00000000-0000-4000-8000-" + name[6:], Version: 1, CreatedAt: now}, append(names, name)
		}
		if err = store.CreateThings(t.Context(), list); err == nil {
			_, err = store.ChangeMembers(t.Context(), jobs.MemberChange{Things: names, Add: []string{"all"}, Now: now})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMany shows a job with JOBGATE_TEST_THINGS executions (default 20,000; a million is more realistic), and logs how long
// its views take.
func TestMany(t *testing.T) {
	things := 20_000
	if text := os.Getenv("JOBGATE_TEST_THINGS"); text != "" {
		things = atoi(t, text)
	}
	s := newSite(t, "", func(store string) { register(t, store, things) })
	s.operate(http.MethodPut, "/jobs/large", map[string]any{"targets": []string{"arn:aws:iot:us-east-1:000000000000:thinggroup/all"}, "document": `{"do": "it"}`})
	s.eventually("all are queued", func() bool { return s.counts("large")["numberOfQueuedThings"] == float64(things) })
	for i := range 500 {
		s.report(fmt.Sprintf("thing-%012d", i*(things/500)), "large", "FAILED", map[string]string{"reason": "flash error"})
	}
	b := open(t, s.control)
	b.signedIn()
	for _, view := range []string{"/jobs", "/jobs/large", "/jobs/large/executions", "/jobs/large/executions?status=FAILED", "/jobs/large/failures", "/things", "/groups/all"} {
		took := b.eval(fmt.Sprintf(`new Promise((done) => {
			const began = performance.now();
			document.getElementById('status').textContent = '';
			location.hash = %q;
			const look = () => document.getElementById('status').textContent === document.title ? done(performance.now() - began) : setTimeout(look, 2);
			setTimeout(look, 0);
		})`, view))
		ms, err := strconv.ParseFloat(took, 64)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s of %d executions: %.0f ms", view, things, ms)
	}
	b.visit("/jobs/large/executions")
	b.press("Next page")
	b.sees("First page")
	b.visit("/jobs/large")
	s.eventually("the failures are counted", func() bool { return strings.Contains(strings.Join(strings.Fields(b.shown()), " "), "Failed 500") })
}
