package localfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "file")
	if err := os.WriteFile(name, []byte("12345"), 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(folder, "link") // as Kubernetes mounts secrets
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{name, link} {
		if text, mode, err := Read(n, 5); string(text) != "12345" || mode.Perm() != 0o640 || err != nil {
			t.Errorf("%q %v %v", text, mode, err)
		}
	}
	f := func(name, want string) {
		t.Helper()
		text, _, err := Read(name, 4)
		if text != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%q %v, want %q", text, err, want)
		}
		if _, err := KeyPair(name, name); err == nil {
			t.Errorf("a certificate in %s", name)
		}
	}
	f(name, "larger than 4 bytes")
	f(folder, "is a directory, not a regular file")
	f(filepath.Join(folder, "none"), "no such file")
	f("/dev/zero", "is a device, not a regular file")
}
