package objectstore

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/presigner"
)

var owner = presigner.Credentials{AccessKeyID: "AKIADEMO", SecretAccessKey: "s3cret"}

// fixture is a store behind a real listener, with an adjustable clock.
type fixture struct {
	t      *testing.T
	store  *Store
	server *httptest.Server
	folder string
	skew   atomic.Int64 // added to the store's clock
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, folder: t.TempDir()}
	f.write("firmware/v7.bin", "0123456789")
	f.write("firmware/odd/a b+c%.bin", "odd")
	f.write("secret.txt", "outside every bucket")
	var err error
	f.store, err = New(Config{Folder: f.folder, Owner: owner, MaxUpload: 1000, Now: func() time.Time { return time.Now().Add(time.Duration(f.skew.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewServer(f.store)
	t.Cleanup(func() {
		f.server.Close()
		if err := f.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) write(name, content string) {
	f.t.Helper()
	full := filepath.Join(f.folder, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) host() string { return strings.TrimPrefix(f.server.URL, "http://") }

// url presigns an object with c, in path style.
func (f *fixture) url(c presigner.Credentials, m presigner.Method, bucket, key, version string) string {
	f.t.Helper()
	s, err := presigner.NewSigner(c)
	if err != nil {
		f.t.Fatal(err)
	}
	o := presigner.Object{Scheme: "http", Host: f.host(), Region: "us-east-1", Bucket: bucket, Key: key, VersionID: version}
	u, err := s.URL(o, m, 15*time.Minute, time.Now())
	if err != nil {
		f.t.Fatal(err)
	}
	return u
}

// do sends a request and returns status, body and header.
func (f *fixture) do(method, url, body string, header ...string) (int, string, http.Header) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func TestGet(t *testing.T) {
	fx := newFixture(t)
	f := func(url string, wantStatus int, want string, header ...string) {
		t.Helper()
		status, body, _ := fx.do("GET", url, "", header...)
		if status != wantStatus || !strings.Contains(body, want) {
			t.Errorf("GET %.60s: %d %s; want %d %s", url, status, body, wantStatus, want)
		}
	}
	good := fx.url(owner, presigner.GET, "firmware", "v7.bin", "")
	f(good, 200, "0123456789")
	f(good, 206, "234", "Range", "bytes=2-4")
	f(good, 416, "", "Range", "bytes=20-")
	f(fx.url(owner, presigner.GET, "firmware", "odd/a b+c%.bin", ""), 200, "odd")
	f(fx.url(owner, presigner.GET, "firmware", "v8.bin", ""), 404, "<Code>NoSuchKey</Code>")
	f(fx.url(owner, presigner.GET, "firmware", "odd", ""), 404, "<Code>NoSuchKey</Code>")
	f(fx.url(owner, presigner.GET, "nothing", "v7.bin", ""), 404, "<Code>NoSuchBucket</Code>")
	f(fx.url(owner, presigner.GET, "firmware", "v7.bin", "none"), 404, "<Code>NoSuchVersion</Code>")

	// Keys cannot escape from the bucket.
	f(fx.url(owner, presigner.GET, "firmware", "../secret.txt", ""), 404, "<Code>NoSuchKey</Code>")
	f(fx.url(owner, presigner.GET, "firmware", "odd/../v7.bin", ""), 404, "<Code>NoSuchKey</Code>")
	f(fx.url(owner, presigner.GET, "firmware", "/v7.bin", ""), 404, "<Code>NoSuchKey</Code>")
	f(fx.url(owner, presigner.GET, "..", "etc/passwd", ""), 404, "<Code>NoSuchBucket</Code>")
	f(fx.url(owner, presigner.GET, ".", "secret.txt", ""), 404, "<Code>NoSuchBucket</Code>")
	f(fx.url(owner, presigner.GET, ".uploads", "x", ""), 404, "<Code>NoSuchBucket</Code>")
	f(fx.url(owner, presigner.GET, "firmware", "v7.bin", "../v7.bin/x"), 404, "<Code>NoSuchVersion</Code>")
	if err := os.Symlink("/etc/passwd", filepath.Join(fx.folder, "firmware", "link")); err != nil {
		t.Fatal(err)
	}
	f(fx.url(owner, presigner.GET, "firmware", "link", ""), 404, "<Code>NoSuchKey</Code>")

	// Missing and invalid signatures.
	f(fx.server.URL+"/firmware/v7.bin", 403, "<Code>AccessDenied</Code><Message>Access Denied</Message>")
	f(strings.Replace(good, "v7.bin", "v8.bin", 1), 403, "<Code>SignatureDoesNotMatch</Code>")
	last := "0"
	if strings.HasSuffix(good, "0") {
		last = "1"
	}
	f(good[:len(good)-1]+last, 403, "<Code>SignatureDoesNotMatch</Code>")
	f(fx.url(presigner.Credentials{AccessKeyID: "AKIAOTHER", SecretAccessKey: "x"}, presigner.GET, "firmware", "v7.bin", ""), 403, "<Code>InvalidAccessKeyId</Code>")
	f(fx.url(presigner.Credentials{AccessKeyID: owner.AccessKeyID, SecretAccessKey: "s3cret", SessionToken: "x"}, presigner.GET, "firmware", "v7.bin", ""), 400, "<Code>InvalidToken</Code>")
	f(strings.Replace(good, "X-Amz-Expires=900", "X-Amz-Expires=never", 1), 400, "<Code>AuthorizationQueryParametersError</Code>")
	f(fx.url(owner, presigner.PUT, "firmware", "v7.bin", ""), 403, "<Code>SignatureDoesNotMatch</Code>")
	fx.skew.Store(int64(16 * time.Minute))
	f(good, 403, "<Code>AccessDenied</Code><Message>Request has expired</Message>")
	fx.skew.Store(int64(-16 * time.Minute))
	f(good, 403, "<Code>AccessDenied</Code><Message>Request is not valid yet</Message>")
}

// TestHostStyle requests an object of a bucket named in the host.
func TestHostStyle(t *testing.T) {
	fx := newFixture(t)
	host := strings.Replace(fx.host(), "127.0.0.1", "firmware.localhost", 1)
	s, err := presigner.NewSigner(owner)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.URL(presigner.Object{Scheme: "http", Host: host, Region: "us-east-1", Bucket: "firmware", Style: presigner.HostStyle, Key: "v7.bin"}, presigner.GET, time.Minute, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, strings.TrimPrefix(u, "http://"+host), nil)
	r.Host = host
	w := httptest.NewRecorder()
	fx.store.ServeHTTP(w, r)
	if w.Code != 200 || w.Body.String() != "0123456789" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestConditionsAndHead(t *testing.T) {
	fx := newFixture(t)
	good := fx.url(owner, presigner.GET, "firmware", "v7.bin", "")
	_, _, header := fx.do("GET", good, "")
	if header.Get("ETag") == "" || header.Get("Content-Type") != "application/octet-stream" || header.Get("X-Amz-Request-Id") == "" || header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("header: %v", header)
	}
	if status, body, _ := fx.do("GET", good, "", "If-None-Match", header.Get("ETag")); status != 304 || body != "" {
		t.Errorf("If-None-Match: %d %q", status, body)
	}
	// A presigned GET does not allow HEAD, because the method is signed.
	if status, _, _ := fx.do("HEAD", good, ""); status != 403 {
		t.Errorf("HEAD of a GET URL: %d", status)
	}
	if status, body, h := fx.do("DELETE", good, ""); status != 405 || h.Get("Allow") != "GET, HEAD, PUT" || !strings.Contains(body, "MethodNotAllowed") {
		t.Errorf("DELETE: %d %s", status, body)
	}
}

func TestPut(t *testing.T) {
	fx := newFixture(t)
	f := func(bucket, key, content string, wantStatus int, want string) http.Header {
		t.Helper()
		status, body, h := fx.do("PUT", fx.url(owner, presigner.PUT, bucket, key, ""), content)
		if status != wantStatus || !strings.Contains(body, want) {
			t.Errorf("PUT %s/%s: %d %s; want %d %s", bucket, key, status, body, wantStatus, want)
		}
		return h
	}
	first := f("firmware", "logs/thing-1/job.log", "one", 200, "").Get("X-Amz-Version-Id")
	second := f("firmware", "logs/thing-1/job.log", "two", 200, "").Get("X-Amz-Version-Id")
	if first == "" || first == second {
		t.Errorf("versions %q and %q, want two different ones", first, second)
	}
	g := func(version, want string) {
		t.Helper()
		if status, body, _ := fx.do("GET", fx.url(owner, presigner.GET, "firmware", "logs/thing-1/job.log", version), ""); status != 200 || body != want {
			t.Errorf("version %q: %d %s, want %s", version, status, body, want)
		}
	}
	g("", "two")
	g(first, "one")
	g(second, "two")
	f("nothing", "x", "x", 404, "NoSuchBucket")
	f("firmware", "../x", "x", 400, "InvalidArgument")
	f("firmware", "v7.bin/below", "x", 400, "InvalidArgument")
	f("firmware", "odd", "x", 400, "InvalidArgument")
	f("firmware", strings.Repeat("n", 300), "x", 400, "InvalidArgument")
	f("firmware", "big", strings.Repeat("x", 1001), 400, "EntityTooLarge")
	if status, body, _ := fx.do("PUT", fx.url(owner, presigner.GET, "firmware", "x", ""), "x"); status != 403 {
		t.Errorf("PUT with a GET URL: %d %s", status, body)
	}
	left, err := os.ReadDir(filepath.Join(fx.folder, uploads))
	if err != nil || len(left) != 0 {
		t.Errorf("temporary files remain: %v %v", left, err)
	}
}

func TestNewFaults(t *testing.T) {
	f := func(c Config, want string) {
		t.Helper()
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f(Config{Folder: t.TempDir()}, "cannot open the object store: its owner has no keys")
	f(Config{Folder: "testdata/none", Owner: owner}, "cannot open the object store: open testdata/none: no such file")
}
