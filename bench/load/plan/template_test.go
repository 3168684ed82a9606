package plan

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func testValues(t testing.TB) *Values {
	return &Values{
		Plan:  &Plan{Things: mustNames(t, "thing-", "100", Uniform), Jobs: mustNames(t, "job-", "10", Uniform)},
		Thing: 7, Job: 3, Captured: [][]byte{[]byte("j-77")},
	}
}

func TestTemplate(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		c, err := compile(text, variables{"captured": 0})
		if err != nil {
			t.Errorf("compile(%q): %v", text, err)
			return
		}
		if got := string(c.appendTo([]byte("foo"), testValues(t))); got != "foo"+want {
			t.Errorf("%q is filled as %q, want %q", text, got, "foo"+want)
		}
	}
	f("", "")
	f("/plain", "/plain")
	f("/things/{thingName}/jobs/{jobId}", "/things/thing-07/jobs/job-3")
	f("{thingName}{thingName}", "thing-07thing-07")
	f("/jobs/$next", "/jobs/$next")
	f("/jobs/{captured}", "/jobs/j-77")
	f(`{"status":"DONE","x":{"y":{}}}`, `{"status":"DONE","x":{"y":{}}}`)
	f(`{"id":"{jobId}"}`, `{"id":"job-3"}`)
	f("{", "{")
	f("{{jobId}}", "{job-3}")
	f("{ jobId }{1}{}", "{ jobId }{1}{}")
}

func TestTemplateUnknownVariable(t *testing.T) {
	if _, err := compile("/{thing}", nil); err == nil || !strings.Contains(err.Error(), "{thing}") {
		t.Errorf("an unknown variable: %v", err)
	}
	// A captured variable takes precedence over one drawn by the run.
	c, err := compile("{jobId}", variables{"jobId": 0})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.appendTo(nil, testValues(t))); got != "j-77" {
		t.Errorf("a captured jobId is %q, want j-77", got)
	}
}

func TestRequest(t *testing.T) {
	r, err := newRequest("POST", "host:1", "/things/{thingName}?x=$y", []Header{{"X-Thing", "{thingName}"}, {"Content-Type", "application/json"}}, `{"job":"{jobId}"}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := r.AppendTo(nil, nil, testValues(t), true)
	got, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(out)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.Method != "POST" || got.RequestURI != "/things/thing-07?x=$y" || got.Host != "host:1" || got.Header.Get("X-Thing") != "thing-07" ||
		got.Header.Get("User-Agent") != "jobgate-bench" || !got.Close || string(body) != `{"job":"job-3"}` {
		t.Errorf("the request reads as %+v with body %q", got, body)
	}
}

func TestRequestRefuses(t *testing.T) {
	f := func(method, path string, h Header, want string) {
		t.Helper()
		if _, err := newRequest(method, "h", path, []Header{h}, "", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %q %v: %v; want an error with %q", method, path, h, err, want)
		}
	}
	ok := Header{"X", "y"}
	f("GET /", "/", ok, "method")
	f("", "/", ok, "method")
	f("GET", "x", ok, "does not begin with /")
	f("GET", "/a b", ok, "percent-encoded")
	f("GET", "/ä", ok, "percent-encoded")
	f("GET", "/a\r\nX: y", ok, "percent-encoded")
	f("GET", "/{nope}", ok, "unknown variable {nope}")
	f("GET", "/", Header{"X Y", "z"}, "header")
	f("GET", "/", Header{"X", "a\r\nb"}, "line break")
	f("GET", "/", Header{"content-length", "5"}, "set by the generator")
	f("GET", "/", Header{"Connection", "close"}, "--keep-alive")
}
