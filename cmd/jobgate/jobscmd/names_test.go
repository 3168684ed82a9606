package jobscmd

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// TestNamesAreChecked gives each command names that would reach another operation, and checks that none sends a request.
func TestNamesAreChecked(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request was sent: %s %s", r.Method, r.URL)
	}))
	defer server.Close()
	s := &site{T: t, connection: Connection{Endpoint: server.URL, Region: "us-east-1", Credentials: operator, HTTP: server.Client()}}
	const rule = "a job ID has 1 to 64 characters of [a-zA-Z0-9_-]"
	for _, id := range []string{"", ".", "..", "../things/x", "a/b", "a?force=true", "a%2Fb", "é", "a:b", strings.Repeat("x", 65)} {
		for _, args := range [][]string{{"show", id}, {"failures", id}, {"retry", id}, {"cancel", id, "--yes"}, {"delete", id, "--yes"}} {
			s.fails(operator, rule, args...)
		}
		s.fails(operator, `for "--job-id" flag: `+rule, "retry", "update-1", "--job-id", id)
	}
	s.fails(operator, `cannot use job "../things/x": `+rule, "delete", "../things/x", "--yes")
	for _, name := range []string{"", "..", "a b", strings.Repeat("x", 129)} {
		s.fails(operator, "a thing group name has 1 to 128 characters of [a-zA-Z0-9:_-]", "list", "--group", name)
	}
}

// TestJoin: every segment stays one segment of the path.
func TestJoin(t *testing.T) {
	f := func(base, want string, segments ...string) {
		t.Helper()
		address, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		if address, err = join(address, segments); err == nil {
			if got := address.String(); got != want {
				t.Errorf("%q is joined to %s, want %s", segments, got, want)
			}
		} else if want != "" {
			t.Errorf("%q: %v", segments, err)
		}
	}
	f("http://h:1", "http://h:1/-/jobs/a/retry", "-", "jobs", "a", "retry")
	f("http://h:1/base/", "http://h:1/base/jobs/a", "jobs", "a")
	f("http://h:1", "http://h:1/jobs/..%2Fthings%2Fa%3Fb%252F", "jobs", "../things/a?b%2F")
	f("http://h:1", "", "jobs", "")
	f("http://h:1", "", "jobs", ".")
	f("http://h:1", "", "jobs", "..")
}
