package source

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

var names = []string{"thingName", "jobId", "x"}

func TestAppendURL(t *testing.T) {
	f := func(pattern, thing, job, want string) {
		t.Helper()
		p, err := ParsePattern(pattern, names)
		if err != nil {
			t.Errorf("cannot parse: %v", err)
			return
		}
		got, err := p.AppendURL([]byte("foo"), [][]byte{[]byte(thing), []byte(job), nil})
		if string(got) != "foo"+want || err != nil {
			t.Errorf("unexpected URL of %q: %q, %v; want %q", pattern, got, err, "foo"+want)
		}
	}
	f("file:///srv/docs/{jobId}.json", "t", "job-1:a_b.c", "file:///srv/docs/job-1%3Aa_b.c.json")
	f("file:///srv/docs/{jobId}.json", "t", "50% off?#+ü", "file:///srv/docs/50%25%20off%3F%23%2B%C3%BC.json")
	f("file:///srv/my%20docs/all.json", "t", "j", "file:///srv/my%20docs/all.json")
	f("file://localhost/srv/{jobId}", "t", "j", "file:///srv/j")
	f("s3://job-documents/{jobId}.json", "t", "job-1", "s3://job-documents/job-1.json")
	f("s3://b-1.x/{thingName}/a b%20c/{jobId}/", "50% ü", "j", "s3://b-1.x/50% ü/a b%20c/j/")
	f("s3://bucket//{jobId}", "t", "j", "s3://bucket//j")
	f("http://127.0.0.1:8000/{thingName}/{jobId}", "a b", "c%", "http://127.0.0.1:8000/a%20b/c%25")
	f("https://example.com/doc?thing={thingName}&job={jobId}", "a&b=c", "..", "https://example.com/doc?thing=a%26b%3Dc&job=..")
	f("https://example.com/{thingName}{jobId}", "a", "b", "https://example.com/ab")
	f("https://example.com", "a", "b", "https://example.com")
	f("https://[::1]:8443/x", "a", "b", "https://[::1]:8443/x")
}

func TestAppendURLRefuses(t *testing.T) {
	f := func(pattern, thing, job string) {
		t.Helper()
		p, err := ParsePattern(pattern, names)
		if err != nil {
			t.Errorf("cannot parse: %v", err)
			return
		}
		got, err := p.AppendURL([]byte("foo"), [][]byte{[]byte(thing), []byte(job), nil})
		if string(got) != "foo" || !errors.Is(err, ErrName) {
			t.Errorf("unexpected URL of %q with %q, %q: %q, %v", pattern, thing, job, got, err)
		}
	}
	for _, pattern := range []string{
		"file:///srv/docs/{thingName}{jobId}", "s3://bucket/{thingName}{jobId}", "https://example.com/x/{thingName}{jobId}/y",
	} {
		f(pattern, "", "j")
		f(pattern, "a/b", "j")
		f(pattern, `a\b`, "j")
		f(pattern, "a\x00", "j")
		f(pattern, "a\nb", "j")
		f(pattern, "a\x7f", "j")
		f(pattern, "\xff", "j")
		f(pattern, ".", ".")
	}
	f("file:///srv/docs/{jobId}/x", "t", "..")
	f("file:///srv/docs/.{jobId}", "t", ".")
	f("https://example.com/{jobId}?q=1", "t", ".")
	f("s3://bucket/{jobId}", "t", strings.Repeat("x", 1025))
}

func TestParsePattern(t *testing.T) {
	p, err := ParsePattern("file:///srv/my%20docs/v1/{thingName}/x/{jobId}.json", names)
	if err != nil {
		t.Fatal(err)
	}
	if p.Scheme() != "file" || p.Folder() != "/srv/my docs/v1" || p.Host() != "" || !p.Uses(0) || !p.Uses(1) || p.Uses(2) {
		t.Errorf("unexpected pattern: %+v", p)
	}
	f := func(pattern, scheme, host, folder string) {
		t.Helper()
		p, err := ParsePattern(pattern, names)
		if err != nil {
			t.Errorf("cannot parse: %v", err)
			return
		}
		if p.Scheme() != scheme || p.Host() != host || p.Folder() != folder || p.String() != pattern {
			t.Errorf("unexpected pattern: %q, %q, %q, %q", p.Scheme(), p.Host(), p.Folder(), p)
		}
	}
	f("file:///srv/docs/doc.json", "file", "", "/srv/docs")
	f("file:///srv/docs/a{x}b", "file", "", "/srv/docs")
	f("s3://bucket/{x}", "s3", "bucket", "")
	f("https://example.com:8443/{x}", "https", "example.com:8443", "")
}

func TestParsePatternRefuses(t *testing.T) {
	f := func(pattern, want string) {
		t.Helper()
		if _, err := ParsePattern(pattern, names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("unexpected error of %q: %v; want one about %q", pattern, err, want)
		}
	}
	f("", "scheme")
	f("/srv/docs/x", "scheme")
	f("ftp://host/x", `unknown scheme "ftp"`)
	f("{x}://bucket/key", "unknown scheme")
	f("s3://bucket/{nobody}", "unknown variable {nobody}; the path has {thingName}, {jobId}, {x}")
	f("s3://bucket/{}", "unknown variable {}")
	f("s3://bucket/{x", "no closing")
	f("s3://bucket/x}", "no opening")
	f("s3://bucket/{{x}}", "unknown variable")
	f("s3://{x}/key", "never stands in the bucket")
	f("s3://a{x}-b/key", "never stands in the bucket")
	f("s3://Bucket/key", "no bucket's name")
	f("s3://b/key", "no bucket's name")
	f("s3://user:pw@bucket/key", "no bucket's name")
	f("s3://bucket", "no key")
	f("s3://bucket/", "no key")
	f("file://srv/docs/{x}", "absolute")
	f("file://{x}/docs", "absolute")
	f("file:///{x}", "whole file system")
	f("file:///doc.json", "whole file system")
	f("file:///srv/../{x}", "dots")
	f("file:///srv/%2e%2e/{x}", "%2e")
	f("file:///srv/%2F/{x}", "%2f")
	f("file:///srv//{x}", "empty segment")
	f("file:///srv/%zz/{x}", "escape")
	f("file:///srv/docs/{x}?v=1", "%3F")
	f("http://{x}/doc", "never stands in the host")
	f("http://example.com:{x}/doc", "never stands in the host")
	f("https://user:secret@example.com/{x}", "no user name")
	f("https://example.com/{x}#frag", "fragment")
	f("https:///x", "no host")
	f("https://example.com/a b", "percent-encoded")
	f("https://example.com/ü", "percent-encoded")
	f("https://example.com/%zz", "invalid URL escape")
	f("https://example.com/../{x}", "dots")
	f("https://example.com/a%2Fb", "%2f")
}

// FuzzPattern: whatever the values, a URL keeps the pattern's server, bucket and folder,
// and decodes to the values.
func FuzzPattern(f *testing.F) {
	for _, v := range []string{"job-1", "..", ".", "a/b", "%2e%2e%2f", "a\x00b", "@evil", "?x", "#", "{x}", "ü", "\xff", ":80", "%"} {
		f.Add(v, v)
	}
	patterns := []string{
		"file:///srv/docs/{thingName}/{jobId}.json", "file:///srv/docs/{thingName}{jobId}", "s3://bucket/{thingName}/{jobId}",
		"https://example.com/{thingName}/{jobId}", "https://example.com/{thingName}{jobId}?q={x}",
	}
	f.Fuzz(func(t *testing.T, thing, job string) {
		for _, text := range patterns {
			p, err := ParsePattern(text, names)
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.AppendURL(nil, [][]byte{[]byte(thing), []byte(job), []byte(thing)})
			if err != nil {
				if len(got) != 0 || !errors.Is(err, ErrName) {
					t.Fatalf("unexpected failure: %q, %v", got, err)
				}
				continue
			}
			want := strings.NewReplacer("{thingName}", thing, "{jobId}", job, "{x}", thing).Replace(text)
			checkURL(t, p, string(got), want)
		}
	})
}

func checkURL(t *testing.T, p *Pattern, got, want string) {
	t.Helper()
	if p.Scheme() == "s3" {
		if got != want {
			t.Fatalf("unexpected URL: %q, want %q", got, want)
		}
		return
	}
	u, err := url.Parse(got)
	if err != nil || u.Scheme != p.Scheme() || u.Host != p.Host() || u.User != nil || u.Fragment != "" {
		t.Fatalf("unexpected URL: %q, %v", got, err)
	}
	if p.Scheme() == "file" {
		if filepath.Clean(u.Path) != u.Path || !strings.HasPrefix(u.Path, p.Folder()+"/") {
			t.Fatalf("%q is outside of %q", u.Path, p.Folder())
		}
	}
	decoded := u.Scheme + "://" + u.Host + u.Path
	if u.RawQuery != "" {
		decoded += "?q=" + u.Query().Get("q")
	}
	if decoded != want {
		t.Fatalf("unexpected URL: %q decodes to %q, want %q", got, decoded, want)
	}
}
