package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobgate/bench/load/plan"
)

// TestThingName compares the names of wrk's scripts with those of the store and of jobgate bench.
func TestThingName(t *testing.T) {
	for _, n := range []int{1, 10, 11, 1000, 1_000_000} {
		names, err := plan.ParseNames(groupFleet, strconv.Itoa(n))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := thingName(groupFleet, n, n/2), string(names.AppendTo(nil, uint32(n/2))); got != want {
			t.Errorf("thing %d of %d is %q, want %q", n/2, n, got, want)
		}
	}
}

func TestDeviceScript(t *testing.T) {
	f := func(script string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(script, w) {
				t.Errorf("the script lacks %s:\n%s", w, script)
			}
		}
	}
	f(deviceScript(groupIdle, 1000, "/jobs/$next", "GET", ""), `wrk.format("GET", string.format("/things/idle-%03d/jobs/$next", thing)`, ", nil)")
	f(deviceScript(groupFleet, 5, "/jobs/x", "POST", `{"a":"b"}`), `wrk.format("POST", string.format("/things/thing-%01d/jobs/x", thing)`, `[[{"a":"b"}]])`)
}

func TestParseHeap(t *testing.T) {
	if n, err := parseHeap("heap profile: 1: 2\n\n# runtime.MemStats\n# Alloc = 1\n# HeapAlloc = 1234\n# HeapSys = 5\n"); n != 1234 || err != nil {
		t.Errorf("the heap is %d, %v; want 1234", n, err)
	}
	if _, err := parseHeap("404 page not found"); err == nil {
		t.Error("a text without a heap has one")
	}
}

// TestSignedScript has a signature for every request, all of which are the operator's.
func TestSignedScript(t *testing.T) {
	script, err := signedScript(t.Context(), updateCall, 2500, time.Unix(1700000000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(script, "Credential="+operatorID+"/20231114/"+region+"/iot-jobs-data/aws4_request"); n != 2500 {
		t.Errorf("%d requests are signed, want 2500", n)
	}
}

// TestCopyStore copies the store of a process that has ended, and refuses one that has not.
func TestCopyStore(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from.db"), filepath.Join(t.TempDir(), "to.db")
	if err := copyStore(to, from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store that is not there is copied: %v", err)
	}
	for name, text := range map[string]string{from: "new", to: "older and longer"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyStore(to, from); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "new" {
		t.Errorf("the copy holds %q, %v", text, err)
	}
	if err := os.WriteFile(from+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyStore(to, from); err == nil {
		t.Error("a store with changes beside it is copied without them")
	}
}

// TestGroupSizes keeps the small groups small, and never empty.
func TestGroupSizes(t *testing.T) {
	f := func(things, small int) {
		t.Helper()
		got := (&options{things: things}).groupSizes()
		if got[groupFleet] != things || got[groupSigned] != small || got[groupIdle] != small {
			t.Errorf("the groups of %d things have %v, want the small ones with %d", things, got, small)
		}
	}
	f(1, 1)
	f(1000, 50)
	f(1_000_000, someThings)
}
