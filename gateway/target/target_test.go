package target

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	var g Target
	f := func(uri, path, query string, segments ...string) {
		t.Helper()
		if err := g.Parse([]byte(uri)); err != nil {
			t.Errorf("%q: %v", uri, err)
			return
		}
		origin := path
		if query != "" {
			origin += "?" + query
		}
		got := string(bytes.Join(g.Segments(), []byte("·")))
		if string(g.Path()) != path || string(g.Query()) != query || strings.TrimSuffix(string(g.Origin()), "?") != origin || got != strings.Join(segments, "·") {
			t.Errorf("%q: path %q, query %q, origin %q, segments %q", uri, g.Path(), g.Query(), g.Origin(), got)
		}
	}
	f("/", "/", "", "")
	f("/a", "/a", "", "a")
	f("/a/", "/a/", "", "a", "")
	f("/things/t%3A1/jobs?maxResults=2", "/things/t%3A1/jobs", "maxResults=2", "things", "t:1", "jobs")
	f("/a%252f/b?x=/y?z", "/a%252f/b", "x=/y?z", "a%2f", "b") // decoded once
	f("/a?%zz", "/a", "%zz", "a")                             // the query is not checked
	f("/a?", "/a", "", "a")
	f("//a", "//a", "", "", "a")
	f("/a%zz/%62", "/a%zz/%62", "", "a%zz", "b")
	f("/a+b/ü", "/a+b/ü", "", "a+b", "ü")
	f("http://host/a/b?c", "/a/b", "c", "a", "b")
	f("HTTPS://user@[::1]:8080/a", "/a", "", "a")
	f("http://host", "/", "", "")
	f("http://host?a=b", "/", "a=b", "")
	f("http://host//a", "//a", "", "", "a")
}

func TestParseRejects(t *testing.T) {
	f := func(uri string, want error) {
		t.Helper()
		var g Target
		if err := g.Parse([]byte(uri)); !errors.Is(err, want) || len(g.Origin())+len(g.Path())+len(g.Segments()) > 0 {
			t.Errorf("%q: %v, want %v; %q %q", uri, err, want, g.Origin(), g.Segments())
		}
	}
	f("", ErrForm)
	f("*", ErrForm)
	f("a/b", ErrForm)
	f("host:443", ErrForm)
	f("http:///a", ErrForm)
	f("http:/a", ErrForm)
	f("ftp://host/a", ErrForm)
	f("x http://host/a", ErrForm)
	f("http://ho st/a", ErrCharacter)
	f("http://ho\\st/a", ErrCharacter)
	f("http://host#a", ErrCharacter)
	f("/a b", ErrCharacter)
	f("/a#b", ErrCharacter)
	f("/a?b#c", ErrCharacter)
	f("/a?b c", ErrCharacter)
	f("/a\x00", ErrCharacter)
	f("/a\x7f", ErrCharacter)
}

func TestSpelling(t *testing.T) {
	f := func(uri string, want error) {
		t.Helper()
		var g Target
		if err := g.Parse([]byte(uri)); err != nil || g.Spelling() != want { //nolint:errorlint // the very value
			t.Errorf("%q: %v, %v, want %v", uri, err, g.Spelling(), want)
		}
	}
	f("/", nil)
	f("/api/devices/victim/job", nil)
	f("/api/devices/", nil)
	f("/a%20b/c%3Ad?x=//../%2f\\", nil)
	f("/...", nil)
	f("/a./b..c/.d/..e/...;x", nil)
	f("//api/devices/victim/job", ErrEmptySegment)
	f("/api//job", ErrEmptySegment)
	f("/api/job//", ErrEmptySegment)
	f("http://host//api", ErrEmptySegment)
	f("/api/./devices/victim", ErrDotSegment)
	f("/x/../api/devices", ErrDotSegment)
	f("/x/..", ErrDotSegment)
	f("/.", ErrDotSegment)
	f("/x/..;a=b/api", ErrDotSegment)
	f("/x/.;/api", ErrDotSegment)
	f("/api/devices/victim%2fjob", ErrEncoded)
	f("/api/devices/victim%2Fjob", ErrEncoded)
	f("/api%5cdevices", ErrEncoded)
	f("/x/%2e%2E/api", ErrEncoded)
	f("/v1%2e2", ErrEncoded)
	f("/api/devices/victim/job%00", ErrEncoded)
	f("/api/devices/victim/job%0d%0a", ErrEncoded)
	f("/api\\devices", ErrBackslash)
	f("/%", ErrEscape)
	f("/%4", ErrEscape)
	f("/a%/bc", ErrEscape)
	f("//../%2f/%zz/%2f", ErrEscape) // takes precedence over the other reasons
	f("/"+strings.Repeat("a/", 100)+"%zz", ErrEscape)
	f("/"+strings.Repeat("a/", 100)+"../b", ErrDotSegment) // also beyond MaxSegments
}

func TestSegmentsAreBounded(t *testing.T) {
	f := func(n int, want bool) {
		t.Helper()
		var g Target
		if err := g.Parse([]byte(strings.Repeat("/a", n))); err != nil || (g.Segments() != nil) != want {
			t.Errorf("%d segments: %v, %q", n, err, g.Segments())
		}
	}
	f(MaxSegments, true)
	f(MaxSegments+1, false)
	f(1000, false)
}

func TestAppendDecoded(t *testing.T) {
	f := func(text, want string, ok bool) {
		t.Helper()
		got, valid := AppendDecoded([]byte("foo"), text)
		if string(got) != "foo"+want || valid != ok {
			t.Errorf("%q: %q, %v", text, got, valid)
		}
	}
	f("", "", true)
	f("a%20b+c", "a b+c", true)
	f("%2f%2F%ff", "//\xff", true)
	f("%", "", false)
	f("a%2", "", false)
	f("a%g0", "", false)
	f("a%0g", "", false)
}

// FuzzParse checks that a target is rejected or parsed as by net/url, and that cleaning does not change the path of an
// unambiguous one.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"/things/t%3A1/jobs/$next?x=1", "//a//b", "/%", "/a%2fb", "http://host/a?b", "http://host", "http://h?q", "/a#b", "*", "x://y/z", "/./..;/%2e", "/" + strings.Repeat("a/", 40),
	} {
		f.Add(seed)
	}
	var g Target
	f.Fuzz(func(t *testing.T, uri string) {
		err := g.Parse([]byte(uri))
		if err != nil {
			checkRejected(t, uri, err)
			return
		}
		u, err := url.ParseRequestURI(string(g.Origin()))
		if errors.Is(g.Spelling(), ErrEscape) != (err != nil) {
			t.Fatalf("%q: Spelling %v, net/url %v", uri, g.Spelling(), err)
		}
		if err != nil {
			return
		}
		if segments := g.Segments(); segments != nil && "/"+string(bytes.Join(segments, []byte("/"))) != u.Path {
			t.Errorf("%q: segments %q, net/url's path %q", uri, segments, u.Path)
		}
		if string(g.Query()) != u.RawQuery {
			t.Errorf("%q: query %q, net/url's %q", uri, g.Query(), u.RawQuery)
		}
		if clean := u.JoinPath().EscapedPath(); g.Spelling() == nil && strings.TrimSuffix(clean, "/") != strings.TrimSuffix(u.EscapedPath(), "/") && !strings.Contains(uri, ";") {
			t.Errorf("%q: Spelling is nil, but net/url cleans the path to %q", uri, clean)
		}
	})
}

// checkRejected checks that net/url rejects a rejected target too, or that RFC 9112 does not allow it.
func checkRejected(t *testing.T, uri string, err error) {
	u, parseErr := url.ParseRequestURI(uri)
	switch {
	case parseErr != nil || strings.ContainsAny(uri, " #") || uri == "*": // a server as a whole, which has no path
	case u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https", u.Opaque != "", u.Scheme != "" && u.Host == "":
	default:
		t.Errorf("%q is rejected (%v), but net/url accepts it: %#v", uri, err, u)
	}
}
