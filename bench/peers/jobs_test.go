package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobgate/bench/load"
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/sqlite"
)

func TestFillStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	if err := fillStore(t.Context(), path, map[string]int{groupFleet: fillChunk + 1, groupIdle: 1}); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	f := func(group string, want int) {
		t.Helper()
		members, _, err := store.Members(t.Context(), group, false, jobs.Page{Limit: 2 * fillChunk})
		if err != nil || len(members) != want {
			t.Fatalf("group %q has %d things, %v; want %d", group, len(members), err, want)
		}
		if last := thingName(group, want, want-1); members[want-1] != last {
			t.Errorf("the last of group %q is %q, want %q", group, members[want-1], last)
		}
	}
	f(groupFleet, fillChunk+1)
	f(groupIdle, 1)
}

// TestThingName compares the names of wrk's scripts with those of the store and of jobgate bench.
func TestThingName(t *testing.T) {
	for _, n := range []int{1, 10, 11, 1000, 1_000_000} {
		names, err := load.ParseNames(groupFleet, strconv.Itoa(n))
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
