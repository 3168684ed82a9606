// Package exceptiontest checks answers that are exceptions; for tests only.
package exceptiontest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// Check checks that r is an exception in AWS's shape.
func Check(t *testing.T, what string, r *fasthttp.Response, status int, name, message string) {
	t.Helper()
	var body struct{ Message string }
	if err := json.Unmarshal(r.Body(), &body); err != nil {
		t.Errorf("%s: %v: %s", what, err, r.Body())
	}
	if r.StatusCode() != status || string(r.Header.Peek("X-Amzn-ErrorType")) != name || !strings.Contains(body.Message, message) {
		t.Errorf("%s:\ngot  %d %s %s\nwant %d %s …%s…", what, r.StatusCode(), r.Header.Peek("X-Amzn-ErrorType"), r.Body(), status, name, message)
	}
	if len(r.Header.Peek("X-Amzn-RequestId")) != 36 || string(r.Header.ContentType()) != "application/json" {
		t.Errorf("%s: headers %s", what, r.Header.String())
	}
}
