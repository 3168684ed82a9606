package load

import (
	"strconv"
	"strings"
	"testing"

	"jobgate/bench/load/plan"
)

// TestThingName checks that names in wrk's scripts are those of jobgate bench.
func TestThingName(t *testing.T) {
	for _, n := range []int{1, 10, 11, 1000, 1_000_000} {
		names, err := plan.ParseNames("thing-", strconv.Itoa(n))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := ThingName("thing-", n, n/2), string(names.AppendTo(nil, uint32(n/2))); got != want {
			t.Errorf("thing %d of %d is %q, want %q", n/2, n, got, want)
		}
	}
}

func TestDeviceScript(t *testing.T) {
	f := func(script string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(script, w) {
				t.Errorf("the script does not contain %s:\n%s", w, script)
			}
		}
	}
	f(DeviceScript("idle-", 1000, "/jobs/$next", "GET", ""), `wrk.format("GET", string.format("/things/idle-%03d/jobs/$next", thing)`, ", nil)")
	f(DeviceScript("thing-", 5, "/jobs/x", "POST", `{"a":"b"}`), `wrk.format("POST", string.format("/things/thing-%01d/jobs/x", thing)`, `[[{"a":"b"}]])`)
}
