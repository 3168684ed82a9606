package source

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const secret = "the secret outside"

// newFolder returns a source for a folder beside a file that holds the secret.
func newFolder(tb testing.TB) (f *File, folder string) {
	tb.Helper()
	base := tb.TempDir()
	folder = filepath.Join(base, "docs")
	write(tb, filepath.Join(base, "secret.json"), secret)
	write(tb, filepath.Join(folder, "job.json"), "{}")
	write(tb, filepath.Join(folder, "sub", "a b%.yaml"), "a: 1")
	f, err := NewFile(folder)
	if err != nil {
		tb.Fatal(err)
	}
	return f, folder
}

func write(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		tb.Fatal(err)
	}
}

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

func TestFile(t *testing.T) {
	s, folder := newFolder(t)
	f := func(u, body, contentType string) {
		t.Helper()
		doc, err := s.Load(t.Context(), Request{URL: u})
		if err != nil || string(doc.Body) != body || doc.ContentType != contentType || doc.LastModified == "" {
			t.Errorf("unexpected document %q: %+v, %v", u, doc, err)
		}
	}
	f(fileURL(folder+"/job.json"), "{}", "application/json")
	f(fileURL(folder)+"/sub/a%20b%25.yaml", "a: 1", "application/yaml")

	write(t, folder+"/plain", "x")
	f(fileURL(folder+"/plain"), "x", "")
	write(t, folder+"/empty.TXT", "")
	f(fileURL(folder+"/empty.TXT"), "", "text/plain; charset=utf-8")

	// Links within the folder, like a ConfigMap mounted by Kubernetes.
	write(t, folder+"/..2026_01/cm.json", "[1]")
	symlink(t, "..2026_01", folder+"/..data")
	symlink(t, "..data/cm.json", folder+"/cm.json")
	f(fileURL(folder+"/cm.json"), "[1]", "application/json")
}

func symlink(tb testing.TB, target, link string) {
	tb.Helper()
	if err := os.Symlink(target, link); err != nil {
		tb.Skipf("no symbolic links here: %v", err)
	}
}

func TestFileRefuses(t *testing.T) {
	s, folder := newFolder(t)
	f := func(u string, class error) {
		t.Helper()
		doc, err := s.Load(t.Context(), Request{URL: u, Limit: 100})
		if !errors.Is(err, class) || doc.Body != nil {
			t.Errorf("unexpected document %q: %q, %v; want the error %q", u, doc.Body, err, class)
		}
	}
	base, here := fileURL(filepath.Dir(folder)), fileURL(folder)
	f(here+"/nobody.json", ErrNotFound)
	f(here+"/job.json/x", ErrNotFound)
	f(here+"/"+strings.Repeat("x", 300), ErrNotFound)
	f(here+"/sub", ErrNotFound) // a folder
	f(here+"/", ErrNotFound)
	f(here, ErrNotFound)

	for _, u := range []string{
		base + "/secret.json", here + "/../secret.json", here + "/%2e%2e/secret.json", here + "/..%2fsecret.json",
		here + "/sub/../../secret.json", here + "/x%00.json", here + `/..%5csecret.json`, here + "//job.json",
		here + "x/job.json", "file://host" + folder + "/job.json", folder + "/job.json", "file:job.json", "s3://bucket/key", "",
		here + "/%zz",
	} {
		f(u, ErrNotFound)
	}

	symlink(t, "../secret.json", folder+"/out.json")
	f(here+"/out.json", ErrForbidden)
	symlink(t, "..", folder+"/up")
	f(here+"/up/secret.json", ErrForbidden)
	symlink(t, filepath.Dir(folder)+"/secret.json", folder+"/absolute.json")
	f(here+"/absolute.json", ErrForbidden)
	symlink(t, "loop", folder+"/loop")
	f(here+"/loop", ErrForbidden)
	symlink(t, "nobody", folder+"/dangling")
	f(here+"/dangling", ErrNotFound)

	write(t, folder+"/big.json", strings.Repeat("x", 101))
	f(here+"/big.json", ErrTooLarge)
	if os.Geteuid() != 0 {
		if err := os.Chmod(folder+"/job.json", 0); err != nil {
			t.Fatal(err)
		}
		f(here+"/job.json", ErrForbidden)
	}
}

// A FIFO or a device is not a document, and requesting one does not block.
func TestFileNotRegular(t *testing.T) {
	s, folder := newFolder(t)
	if err := syscall.Mkfifo(folder+"/fifo.json", 0o644); err != nil {
		t.Skipf("no FIFOs here: %v", err)
	}
	symlink(t, "/dev/zero", folder+"/zero")
	for _, name := range []string{"fifo.json", "zero"} {
		if _, err := s.Load(t.Context(), Request{URL: fileURL(folder + "/" + name)}); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrForbidden) {
			t.Errorf("unexpected error of %q: %v", name, err)
		}
	}
}

func TestFileRevalidation(t *testing.T) {
	s, folder := newFolder(t)
	u := fileURL(folder + "/job.json")
	// A file that changed just now is read again, because its times may not distinguish its versions.
	doc, err := s.Load(t.Context(), Request{URL: u})
	if err != nil || doc.ETag != "" {
		t.Fatalf("unexpected document: %+v, %v", doc, err)
	}
	s.now = func() time.Time { return time.Now().Add(time.Minute) }
	if doc, err = s.Load(t.Context(), Request{URL: u}); err != nil || doc.ETag == "" {
		t.Fatalf("unexpected document: %+v, %v", doc, err)
	}
	again, err := s.Load(t.Context(), Request{URL: u, ETag: doc.ETag})
	if err != nil || !again.NotModified || again.ETag != doc.ETag || again.Body != nil {
		t.Errorf("unexpected revalidation: %+v, %v", again, err)
	}
	// Replaced by a file with the same size and time, as by a copy that keeps times.
	info, err := os.Stat(folder + "/job.json")
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder+"/new", "[]")
	if err := errors.Join(os.Chtimes(folder+"/new", info.ModTime(), info.ModTime()), os.Rename(folder+"/new", folder+"/job.json")); err != nil {
		t.Fatal(err)
	}
	again, err = s.Load(t.Context(), Request{URL: u, ETag: doc.ETag})
	if err != nil || again.NotModified || string(again.Body) != "[]" {
		t.Errorf("unexpected revalidation: %+v, %v", again, err)
	}
}

// A missing folder does not mean missing documents: older copies may be served.
func TestFileFolderGone(t *testing.T) {
	s, folder := newFolder(t)
	if err := os.Rename(folder, folder+"-away"); err != nil {
		t.Fatal(err)
	}
	u := fileURL(folder + "/job.json")
	if _, err := s.Load(t.Context(), Request{URL: u}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("unexpected error: %v", err)
	}
	if err := os.Rename(folder+"-away", folder); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), Request{URL: u}); err != nil {
		t.Errorf("unexpected error: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Load(ctx, Request{URL: u}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("unexpected error: %v", err)
	}
	if _, err := NewFile("docs"); err == nil {
		t.Error("a relative folder was accepted")
	}
}

// FuzzFile: whatever the URL, nothing outside of the folder is ever read.
func FuzzFile(f *testing.F) {
	s, folder := newFolder(f)
	base := filepath.Dir(folder)
	for _, link := range []string{"up", "sub/up"} {
		if err := os.Symlink(base, filepath.Join(folder, link)); err != nil {
			f.Skip(err)
		}
	}
	for _, tail := range []string{
		"job.json", "../secret.json", "%2e%2e/secret.json", "up/secret.json", "sub/up/docs/up/secret.json", "..%2fsecret.json",
		"/secret.json", "sub/..%00", "up/docs/job.json", `..\secret.json`, "\x00", "./job.json", "sub//up",
	} {
		f.Add(tail)
	}
	f.Fuzz(func(t *testing.T, tail string) {
		for _, u := range []string{"file://" + folder + "/" + tail, "file://" + folder + tail, "file://" + tail, "file:///" + tail} {
			doc, err := s.Load(t.Context(), Request{URL: u, Limit: 64})
			if bytes.Contains(doc.Body, []byte(secret)) {
				t.Fatalf("%q left the folder", u)
			}
			if (err == nil) == (doc.Body == nil) {
				t.Fatalf("%q: unexpected answer: %+v, %v", u, doc, err)
			}
		}
	})
}
