package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/target"
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

// What a path names is what net/url finds in its segments, and no slash is smuggled into another segment.
func FuzzDataPath(f *testing.F) {
	f.Add("sensor%3A1", "%24next")
	f.Add("a%2Fb", "j%")
	f.Add("%00", "%zz")
	f.Fuzz(func(t *testing.T, thing, job string) {
		var asked target.Target
		x := Exchange{Target: &asked}
		if asked.Parse([]byte("/things/"+thing+"/jobs/"+job)) != nil || strings.Contains(thing+job, "?") || x.match([]byte("GET")) != describe {
			return
		}
		want, err := url.PathUnescape(thing)
		if err == nil && string(x.thing) != want {
			t.Errorf("%q: got %q, net/url %q", thing, x.thing, want)
		}
		if strings.Contains(thing, "/") || strings.Contains(job, "/") {
			t.Errorf("%q, %q: is %q, %q", thing, job, x.thing, x.job)
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
