package jobdoc_test

import (
	"strings"
	"testing"

	"jobgate/gateway/jobdoc"
)

// Adversarial documents of 256 KiB take milliseconds each. If anything were quadratic,
// they would take minutes, and the test would time out.
func TestGiantDocuments(t *testing.T) {
	const (
		escaped = `${aws:iot:s3-presigned-url:https:\/\/s3.us-east-1.amazonaws.com\/fwm\/a}`
		size    = 1 << 18
	)
	c := newContext(t)
	f := func(doc, want string) {
		t.Helper()
		doc = doc[:min(len(doc), size)]
		for _, strict := range []bool{false, true} {
			o := &jobdoc.Options{Strict: strict}
			_, err := both(t, doc, o, c)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Message, want)) {
				t.Errorf("%.40s…: %v, want %q", doc, err, want)
			}
			jobdoc.Lint([]byte(doc), o)
		}
	}
	f(strings.Repeat("${", size/2), "")
	f(`["`+strings.Repeat("$${aws:iot", size/10), "")
	f(strings.Repeat("${aws:iot:", size/10), "not terminated")
	f(`["`+strings.Repeat("${aws:iot:", size/10), "not terminated")
	f("${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/"+strings.Repeat("${", size), "not terminated")
	f("${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fwm/"+strings.Repeat("k", size-200)+"}", "is invalid")
	f("["+strings.Repeat(`"`, size-200)+escaped, "is invalid")
	f(`["`+strings.Repeat(escaped+`\" `+strings.Repeat("x", 2000), 100)+`"]`, "")
	f(`["{`+strings.Repeat(`\"`+escaped+`\" `+strings.Repeat(`\"x\",`, 350), 100)+`}"]`, "")
	f(`["{`+strings.Repeat(escaped+strings.Repeat(`\\`, 300), 100)+`}"]`, "")
	f(`["{`+strings.Repeat(`\\\"`+escaped+strings.Repeat(`\\\\\\\"`, 300), 100)+`}"]`, "")
	f(`["{`+strings.Repeat(`\u005c\u0022`, 20000)+escaped+`}"]`, "")
}
