package gateway

import (
	"strings"
	"testing"

	"jobgate/gateway/target"
)

func TestParsePathRejects(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		if _, err := parsePath(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", path, err, want)
		}
	}
	f("", "must begin with /")
	f("things", "must begin with /")
	f("/a/{x", "whole segment")
	f("/a/x}", "whole segment")
	f("/a/{}", "whole segment")
	f("/a/v{x}", "whole segment")
	f("/a/{x}{y}", "whole segment")
	f("/{x}/{x}", "twice")
	f("/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "more than 8")
}

func TestMatch(t *testing.T) {
	p, err := parsePath("/things/{thingName}/jobs/{jobId}/document")
	if err != nil {
		t.Fatal(err)
	}
	f := func(uri, thing, job string, want bool) {
		t.Helper()
		var parsed target.Target
		var vars variables
		got := parsed.Parse([]byte(uri)) == nil && p.match(parsed.Segments(), &vars) && p.validate(&vars) == nil
		if got != want || got && (string(vars[0]) != thing || string(vars[1]) != job) {
			t.Errorf("%q: got %v %q %q, want %v %q %q", uri, got, vars[0], vars[1], want, thing, job)
		}
	}
	f("/things/t-1/jobs/j_1/document", "t-1", "j_1", true)
	f("/things/t%3A1/jobs/j/document?x=/a/b", "t:1", "j", true)
	f("http://host/things/t/jobs/j/document", "t", "j", true)
	f("/things/t/jobs/"+strings.Repeat("j", 128)+"/document", "t", strings.Repeat("j", 128), true)
	f("/%74hings/t/jobs/j/document", "t", "j", true) // a segment is decoded before it is compared
	f("/things/t/jobs/j/document/", "", "", false)
	f("//things/t/jobs/j/document", "", "", false)
	f("/things//jobs/j/document", "", "", false)
	f("/things/./jobs/j/document", "", "", false)
	f("/things/%2e%2e/jobs/j/document", "", "", false)
	f("/things/a%2f..%2fb/jobs/j/document", "", "", false)
	f("/things/a/../b/jobs/j/document", "", "", false)
	f("/things/t%00/jobs/j/document", "", "", false)
	f("/things/t%/jobs/j/document", "", "", false)
	f("/things/t%4/jobs/j/document", "", "", false)
	f("/things/t%zz/jobs/j/document", "", "", false)
	f("/things/t%253A/jobs/j/document", "", "", false) // decoded once only
	f("/things/t/jobs/"+strings.Repeat("j", 129)+"/document", "", "", false)
	f("/things/t/jobs/j/Document", "", "", false)
	f("*", "", "", false)
	f("", "", "", false)
	f("http://host", "", "", false)
}

func TestShadows(t *testing.T) {
	f := func(first, second string, want bool) {
		t.Helper()
		p, err1 := parsePath(first)
		q, err2 := parsePath(second)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if got := p.shadows(&q); got != want {
			t.Errorf("%q shadows %q: got %v, want %v", first, second, got, want)
		}
	}
	f("/a/{x}", "/a/b", true)
	f("/a/{x}", "/a/{y}", true)
	f("/a/b", "/a/{x}", false)
	f("/a/{x}", "/a/b/c", false)
	f("/{x}/b", "/a/{y}", false)
}

func FuzzMatch(f *testing.F) {
	for _, seed := range []string{"/things/t/jobs/j", "//", "/%", "/a%2fb", "x://y/z", "/" + strings.Repeat("a/", 40)} {
		f.Add(seed)
	}
	p, _ := parsePath("/things/{thingName}/jobs/{jobId}")
	f.Fuzz(func(t *testing.T, uri string) {
		var parsed target.Target
		var vars variables
		if parsed.Parse([]byte(uri)) != nil || !p.match(parsed.Segments(), &vars) || p.validate(&vars) != nil {
			return
		}
		for _, v := range vars[:2] {
			if strings.ContainsAny(string(v), "/\\%?#\x00 ") || string(v) == ".." {
				t.Errorf("%q: variable %q could leave its segment", uri, v)
			}
		}
	})
}

func TestMatchesETag(t *testing.T) {
	f := func(header, etag string, want bool) {
		t.Helper()
		if got := matchesETag([]byte(header), []byte(etag)); got != want {
			t.Errorf("%q, %q: got %v", header, etag, got)
		}
	}
	f(`"a"`, `"a"`, true)
	f(`W/"a"`, `"a"`, true)
	f(`"b", "a"`, `"a"`, true)
	f(`"b" , W/"a" ,"c"`, `"a"`, true)
	f(`*`, `"a"`, true)
	f(`"b"`, `"a"`, false)
	f(``, `"a"`, false)
	f(`"a"`, ``, false)
	f(`a`, `"a"`, false)
}
