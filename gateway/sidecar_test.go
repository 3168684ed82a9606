package gateway_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"jobgate/gateway"
	"jobgate/gateway/signing"
)

func newSidecar(t *testing.T, change func(*gateway.Config)) *testGateway {
	g := newGateway(t, func(c *gateway.Config, _ *testGateway) {
		c.Rules[""] = signing.RoleRules{Allow: []string{"arn:aws:s3:::firmware/*"}, Setting: "presign", MaxExpires: time.Hour}
		c.Sidecar = &gateway.Sidecar{TCP: true, Roles: []string{""}, DefaultExpires: 15 * time.Minute}
		if change != nil {
			change(c)
		}
	})
	g.serve(g.handler.ServeSidecar, false)
	return g
}

const jsonType = "Content-Type: application/json"

func TestSidecarFills(t *testing.T) {
	g := newSidecar(t, nil)
	document := `{"url":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/${thingName}/${jobId}.bin}","c":"${aws:iot:parameter:channel}"}`
	r := g.do("POST", "/render?thingName=t1&jobId=j1&expires=2m&parameter.channel=beta", document, "Host: 127.0.0.1:8081", jsonType)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %v %s", r.StatusCode, r.Header, r.body)
	}
	v := verifyURL(t, urlIn(t, r.body, "url"), "GET", time.Now())
	if v.Path != "/firmware/t1/j1.bin" || v.Expires != 2*time.Minute || urlIn(t, r.body, "c") != "beta" {
		t.Errorf("got %+v in %s", v, r.body)
	}
}

func TestSidecarLines(t *testing.T) {
	g := newSidecar(t, nil)
	lines := `{"n":1,"url":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/firmware/a}"}` + "\n\n" +
		`{"n":2,"url":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/other/a}"}` + "\r\n" + `{"n":3}`
	r := g.do("POST", "/render", lines, "Host: localhost", "Content-Type: application/x-ndjson")
	got := strings.Split(strings.TrimSuffix(r.body, "\n"), "\n")
	if r.StatusCode != 200 || len(got) != 3 || r.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("got %d %v %s", r.StatusCode, r.Header, r.body)
	}
	verifyURL(t, urlIn(t, got[0], "url"), "GET", time.Now())
	var e struct{ Code, Message string }
	if err := json.Unmarshal([]byte(got[1]), &e); err != nil || e.Code != "InvalidJobDocument" || !strings.Contains(e.Message, "presign.allow") {
		t.Errorf("the second line: %s", got[1])
	}
	if got[2] != `{"n":3}` {
		t.Errorf("the third line: %s", got[2])
	}
}

func TestSidecarRejects(t *testing.T) {
	g := newSidecar(t, nil)
	f := func(status int, message, method, target, body string, header ...string) {
		t.Helper()
		r := g.do(method, target, body, header...)
		if r.StatusCode != status || !strings.Contains(r.body, message) || strings.Contains(r.body, "X-Amz-") {
			t.Errorf("%s %s: got %d %s, want %d with %q", method, target, r.StatusCode, r.body, status, message)
		}
	}
	const local = "Host: localhost:8081"
	object := func(url string) string { return `{"a":"${aws:iot:s3-presigned-url` + url + `}"}` }
	f(403, "loopback", "POST", "/render", "{}", "Host: attacker.example", jsonType)
	f(403, "loopback", "POST", "/render", "{}", "Host: 127.0.0.1.attacker.example", jsonType)
	f(403, "loopback", "POST", "/render", "{}", "Host: 10.0.0.1", jsonType)
	f(415, "application/json", "POST", "/render", "{}", local, "Content-Type: text/plain")
	f(415, "application/json", "POST", "/render", "{}", local)
	f(404, "POST /render", "POST", "/else", "{}", local, jsonType)
	f(405, "POST", "GET", "/render", "", local)
	f(400, "unknown query parameter", "POST", "/render?thing=t1", "{}", local, jsonType)
	f(400, "thingName", "POST", "/render?thingName=a%2Fb", "{}", local, jsonType)
	f(400, "jobId", "POST", "/render?jobId=..", "{}", local, jsonType)
	f(403, "not one of", "POST", "/render?role=admin", "{}", local, jsonType)
	f(400, "expires", "POST", "/render?expires=2h", "{}", local, jsonType)
	f(400, "expires", "POST", "/render?expires=59s", "{}", local, jsonType)
	f(400, "expires", "POST", "/render?expires=soon", "{}", local, jsonType)
	f(400, "presign.allow", "POST", "/render", object(":https://s3.us-east-1.amazonaws.com/other/k"), local, jsonType)
	f(400, "allow_upload", "POST", "/render", object("-upload:https://s3.us-east-1.amazonaws.com/firmware/k"), local, jsonType)
	f(400, "${thingName}", "POST", "/render", object(":https://s3.us-east-1.amazonaws.com/firmware/${thingName}"), local, jsonType)
	f(400, "not terminated", "POST", "/render", `{"a":"${aws:iot:s3-presigned-url:https://`, local, jsonType)
}

func TestSidecarToken(t *testing.T) {
	g := newSidecar(t, func(c *gateway.Config) {
		c.Sidecar.Token = func() []byte { return []byte("let me in") }
	})
	f := func(status int, header ...string) {
		t.Helper()
		if r := g.do("POST", "/render", "{}", append(header, jsonType, "Host: sidecar.internal")...); r.StatusCode != status {
			t.Errorf("%v: got %d %s, want %d", header, r.StatusCode, r.body, status)
		}
	}
	f(200, "Authorization: Bearer let me in")
	f(200, "Authorization: bearer let me in") // RFC 9110 §11.1
	f(200, "authorization: BEARER  let me in")
	f(401)
	f(401, "Authorization: Bearer let me i")
	f(401, "Authorization: Bearer ")
	f(401, "Authorization: Basic let me in")
}

// TestSidecarExpiresAndQuantum checks that a call is rejected if its URLs might expire, or nearly so, while they are reused.
func TestSidecarExpiresAndQuantum(t *testing.T) {
	g := newSidecar(t, func(c *gateway.Config) { c.Presign.Quantum = 5 * time.Minute })
	f := func(query string, status int) {
		t.Helper()
		r := g.do("POST", "/render"+query, placeholder, "Host: localhost", jsonType)
		if r.StatusCode != status || status == 400 && !strings.Contains(r.body, "10m") {
			t.Errorf("%s: got %d %s, want %d", query, r.StatusCode, r.body, status)
		}
	}
	f("?expires=2m", 400)
	f("?expires=9m59s", 400)
	f("?expires=10m", 200)
	f("", 200)
}
