// Package desynctest reads the cases of http-desync-guardian, which the tests of several packages send.
package desynctest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Case is a request's head that servers may read differently.
type Case struct {
	Name, URI, Method, Version string
	Headers                    []struct{ Name, Value string }
	Expected                   struct{ Tier string }
}

// Severe reports whether the case is request smuggling.
func (c *Case) Severe() bool { return c.Expected.Tier == "Severe" }

// Head is the request line and the headers, without the empty line that ends them.
func (c *Case) Head() string {
	var b strings.Builder
	b.WriteString(c.Method + " " + c.URI + " " + c.Version + "\r\nHost: gateway.test\r\n")
	for _, h := range c.Headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	return b.String()
}

// Cases reads the files in gateway/testdata/http-desync, whose path from the test is testdata. At least 50 are severe.
func Cases(t *testing.T, testdata string) (all []Case) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, "http-desync", "tests", "*.yaml"))
	if err != nil || len(files) != 10 {
		t.Fatalf("want 10 files: %d, %v", len(files), err)
	}
	severe := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []Case
		if err := yaml.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for i := range cases {
			if cases[i].Severe() {
				severe++
			}
		}
		all = append(all, cases...)
	}
	if severe < 50 {
		t.Fatalf("found %d severe cases, expected some 58", severe)
	}
	return all
}
