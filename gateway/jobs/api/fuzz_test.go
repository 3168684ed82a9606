package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// What appendString writes is JSON, and the same text to encoding/json.
func FuzzAppendString(f *testing.F) {
	f.Add("")
	f.Add("plain <&> text")
	f.Add("\"\\\x00\x7f\u2028é\xff")
	f.Fuzz(func(t *testing.T, s string) {
		got := appendString([]byte("foo"), s)
		var back string
		if err := json.Unmarshal(got[3:], &back); err != nil || string(got[:3]) != "foo" {
			t.Fatalf("%q: %v: %s", s, err, got)
		}
		if back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q came back as %q", s, back)
		}
	})
}

// appendDecoded decodes as net/url does, and splitting the path before it never lets a slash be smuggled into another
// segment.
func FuzzDataPath(f *testing.F) {
	f.Add("sensor%3A1", "%24next")
	f.Add("a%2Fb", "j%")
	f.Add("%00", "%zz")
	f.Fuzz(func(t *testing.T, thing, job string) {
		got, ok := appendDecoded([]byte("foo"), []byte(thing))
		want, err := url.PathUnescape(thing)
		if ok != (err == nil) || ok && string(got) != "foo"+want {
			t.Errorf("%q: got %q %v, net/url %q %v", thing, got, ok, want, err)
		}
		target := parseDataPath([]byte("GET"), []byte("/things/"+thing+"/jobs/"+job))
		if target.operation == describe && (strings.Contains(thing, "/") || strings.Contains(job, "/")) {
			t.Errorf("%q, %q: is %q, %q", thing, job, target.thing, target.job)
		}
	})
}

// Whatever a body holds, an operation's input is refused with 400 or is within the model.
func FuzzInput(f *testing.F) {
	m, err := controlModel()
	if err != nil {
		f.Fatal(err)
	}
	op := m.operations[0]
	if op.name != "CreateJob" {
		f.Fatalf("the first operation is %s", op.name)
	}
	valid, _ := json.Marshal((&shape{kind: kindStructure, members: op.input}).sample())
	f.Add(string(valid), "")
	f.Add(`{"targets":["a"],"abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL","thresholdPercentage":1e400,"minNumberOfExecutedThings":1}]}}`, "force=true")
	f.Add(`{"targets":["a"],"tags":[{"Key":"\u0000"}],"documentParameters":{"":""}}`, "a=%zz&&=")
	f.Fuzz(func(t *testing.T, body, query string) {
		var args fasthttp.Args
		args.Parse(query)
		in, refused := op.read(map[string]string{"jobId": "j"}, &args, []byte(body))
		if refused != nil {
			if refused.Status != http.StatusBadRequest || refused.Code != "InvalidRequest" {
				t.Errorf("%q: %v", body, refused)
			}
			return
		}
		q := &call{operation: op, in: in}
		if _, err := q.settings(); err != nil {
			t.Errorf("%q was taken, but not decoded: %v", body, err)
		}
		if q.listing() == nil {
			t.Errorf("%q: no token can be bound to it", body)
		}
	})
}

// Whatever stands in an access keys file, no error tells a secret of it.
func FuzzParseKeys(f *testing.F) {
	f.Add(keyFileText)
	f.Add("access_keys: [{id: A, secret: SECRETSECRETSECRET, x: 1}]")
	f.Add("access_keys:\n  - id: A\n\tsecret: SECRETSECRETSECRET")
	f.Add("SECRETSECRETSECRET: [")
	f.Add("access_keys:\n  ! 0\n  -0")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys([]byte(text))
		if err != nil && strings.Contains(text, "secret: SECRETSECRETSECRET") && strings.Contains(err.Error(), "SECRETSECRETSECRET") {
			t.Errorf("%q: %v", text, err)
		}
		if err == nil && keys.Len() == 0 {
			t.Errorf("%q: no keys and no error", text)
		}
	})
}
