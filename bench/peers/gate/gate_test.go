package gate

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestParseHeap(t *testing.T) {
	if n, err := parseHeap("heap profile: 1: 2\n\n# runtime.MemStats\n# Alloc = 1\n# HeapAlloc = 1234\n# HeapSys = 5\n"); n != 1234 || err != nil {
		t.Errorf("the heap is %d, %v; want 1234", n, err)
	}
	if _, err := parseHeap("404 page not found"); err == nil {
		t.Error("parseHeap accepts a text without HeapAlloc")
	}
}

// TestCopyStore copies the store of an exited process and rejects one that is in use.
func TestCopyStore(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from.db"), filepath.Join(t.TempDir(), "to.db")
	if err := CopyStore(to, from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copying a store that does not exist: %v", err)
	}
	for name, text := range map[string]string{from: "new", to: "older and longer"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := CopyStore(to, from); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "new" {
		t.Errorf("the copy holds %q, %v", text, err)
	}
	if err := os.WriteFile(from+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CopyStore(to, from); err == nil {
		t.Error("a store is copied without its -wal file")
	}
}

// TestGroupSizes checks that the small groups are small but never empty.
func TestGroupSizes(t *testing.T) {
	f := func(things, small int) {
		t.Helper()
		got := GroupSizes(things)
		if got[GroupFleet] != things || got[GroupSigned] != small || got[GroupIdle] != small {
			t.Errorf("the groups of %d things have %v, want %d in the small ones", things, got, small)
		}
	}
	f(1, 1)
	f(1000, 50)
	f(1_000_000, someThings)
}
