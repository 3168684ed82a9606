package sqlite

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLostFile checks that a -wal without its database is refused, not overwritten: it may hold answered changes.
func TestLostFile(t *testing.T) {
	f := func(database []byte, missing bool, wal, want, advice string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "jobs.db")
		if !missing {
			if err := os.WriteFile(path, database, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path+"-wal", []byte(wal), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), Options{Path: path, NoSync: true})
		if err == nil {
			err = s.Close()
		}
		if got := errorText(err); (want == "") != (got == "") || !strings.Contains(got, want) || !strings.HasSuffix(got, advice) {
			t.Errorf("got %q, want …%s… that ends with %q", got, want, advice)
		}
		if left, _ := os.ReadFile(path + "-wal"); want != "" && string(left) != wal {
			t.Errorf("the -wal was changed to %q", left)
		}
	}
	const advice = "-wal holds changes of it; put the database back beside it, or move the -wal away to start anew"
	f(nil, true, "changes", "the file is missing, but", advice)
	f(nil, false, "changes", "the file is empty, but", advice)
	f(nil, true, "", "", "")
	f(nil, false, "", "", "")
}

// TestHardLink checks that a file with two names is refused: each name would have its own lock.
func TestHardLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	s, err := Open(t.Context(), Options{Path: path, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "other.db")
	if err := os.Link(path, other); err != nil {
		t.Skip("needs hard links between temporary folders; set TMPDIR to a file system that has them:", err)
	}
	for _, name := range []string{other, path} {
		second, err := Open(t.Context(), Options{Path: name, NoSync: true})
		if err == nil {
			_ = second.Close()
		}
		if !strings.Contains(errorText(err), "has 2 names") {
			t.Errorf("%s: %v, want a refusal because of 2 names", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
