package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"jobgate/gateway"
	"jobgate/gateway/source"
)

const hot = `{"operation":"update","url":"${aws:iot:s3-presigned-url-v2:https://s3.eu-west-1.amazonaws.com/firmware/v7%20b.bin}"}`

const perDevice = `{"log":"${aws:iot:s3-presigned-url:https://s3.eu-west-1.amazonaws.com/firmware/${thingName}/${jobId}.bin}"}`

// urlIn returns the string member of a JSON document.
func urlIn(t testing.TB, document, member string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(document), &all); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	return fmt.Sprint(all[member])
}

func TestDocumentIsServedSigned(t *testing.T) {
	g := newGateway(t, nil)
	g.write("j1.json", hot)
	r := g.get("/things/t1/jobs/j1/document")
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d, %v, %s", r.StatusCode, r.Header, r.body)
	}
	if strings.Contains(r.body, `\u0026`) || strings.Contains(r.body, "${") {
		t.Errorf("the document has an escaped & or an unfilled placeholder: %s", r.body)
	}
	v := verifyURL(t, urlIn(t, r.body, "url"), "GET", time.Now())
	if v.Path != "/firmware/v7 b.bin" || v.Region != "eu-west-1" || v.Expires != 15*time.Minute {
		t.Errorf("the URL is for %+v", v)
	}
}

func TestDocumentPerDevice(t *testing.T) {
	g := newGateway(t, nil)
	g.write("j1.json", perDevice)
	for _, thing := range []string{"t1", "t:2", "T.3"} {
		r := g.get("/things/" + thing + "/jobs/j1/document")
		if r.StatusCode != 200 {
			t.Fatalf("got %d, %s", r.StatusCode, r.body)
		}
		if v := verifyURL(t, urlIn(t, r.body, "log"), "GET", time.Now()); v.Path != "/firmware/"+thing+"/j1.bin" {
			t.Errorf("%s: the URL is for %+v", thing, v)
		}
	}
}

func TestHead(t *testing.T) {
	g := newGateway(t, nil)
	g.write("j1.json", hot)
	g.write("j2.json", perDevice)
	for _, job := range []string{"j1", "j2"} {
		get, head := g.get("/things/t1/jobs/"+job+"/document"), g.do("HEAD", "/things/t1/jobs/"+job+"/document", "")
		if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(get.body)) {
			t.Errorf("%s: got %d, %d bytes announced, body %q; GET has %d bytes", job, head.StatusCode, head.ContentLength, head.body, len(get.body))
		}
	}
}

func TestErrors(t *testing.T) {
	g := newGateway(t, nil)
	g.write("broken.json", "{\n  \"a\": \"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/fleet/k\"}")
	g.write("upload.json", `{"a":"${aws:iot:s3-presigned-url-upload:https://s3.us-east-1.amazonaws.com/fleet/k}"}`)
	g.write("number.json", `{"a":"${aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/fleet/${executionNumber}}"}`)
	g.write("parameter.json", `{"a":"${aws:iot:parameter:channel}"}`)
	f := func(method, target string, status int, code, message string) {
		t.Helper()
		r := g.do(method, target, "")
		var e struct{ Code, Message string }
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			t.Errorf("%s %s: %v in %q", method, target, err, r.body)
		}
		if r.StatusCode != status || e.Code != code || !strings.Contains(e.Message, message) {
			t.Errorf("%s %s: got %d %s, want %d %s with %q", method, target, r.StatusCode, r.body, status, code, message)
		}
		if r.Header.Get("X-Amzn-Errortype") != code+"Exception" || len(r.Header.Get("X-Amzn-Requestid")) != 36 || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: headers %v", method, target, r.Header)
		}
		if strings.Contains(r.body, g.folder) || strings.Contains(r.body, "gateway.") {
			t.Errorf("%s %s: the answer reveals a file path or a Go type: %s", method, target, r.body)
		}
	}
	f("GET", "/things/t1/jobs/none/document", 404, "ResourceNotFound", "no such job document")
	f("GET", "/elsewhere", 404, "ResourceNotFound", "")
	f("GET", "/things/t1/jobs/..%2f..%2fetc/document", 400, "InvalidRequest", "{jobId}")
	f("GET", "/things/a%2f..%2fb/jobs/j/document", 400, "InvalidRequest", "{thingName}")
	f("GET", "/things/%2e%2e/jobs/j/document", 400, "InvalidRequest", "neither . nor ..")
	f("GET", "/things/t%00/jobs/j/document", 400, "InvalidRequest", "{thingName}")
	f("GET", "/things//jobs/j/document", 400, "InvalidRequest", "{thingName}")
	f("POST", "/things/t1/jobs/j1/document", 405, "MethodNotAllowed", "GET, HEAD")
	f("DELETE", "/things/t1/jobs/j1/document", 405, "MethodNotAllowed", "GET, HEAD")
	f("GET", "/things/t1/jobs/broken/document", 502, "InvalidJobDocument", "line 2, column 9: One or more parameters or placeholders are not terminated.")
	f("GET", "/things/t1/jobs/upload/document", 502, "InvalidJobDocument", "allow_upload")
	f("GET", "/things/t1/jobs/number/document", 502, "InvalidJobDocument", "${executionNumber}")
	f("GET", "/things/t1/jobs/parameter/document", 502, "InvalidJobDocument", "channel")
	if strings.Contains(g.log.String(), static.SecretAccessKey) || strings.Contains(g.log.String(), static.SessionToken[:40]) {
		t.Error("the log contains a secret")
	}
}

func TestQuantum(t *testing.T) {
	g := newGateway(t, func(c *gateway.Config, _ *testGateway) { c.Presign.Quantum = time.Minute })
	g.write("j1.json", hot)
	g.write("j2.json", perDevice)
	start := time.Date(2026, 11, 23, 23, 58, 0, 0, time.UTC) // the quanta straddle midnight
	for _, job := range []string{"j1", "j2"} {
		path := "/things/t1/jobs/" + job + "/document"
		bodies, previous := map[string]bool{}, response{}
		for s := range 240 {
			now := start.Add(time.Duration(s) * time.Second)
			g.at(now)
			r := g.get(path)
			bodies[r.body] = true
			age, err := time.ParseDuration(strings.TrimPrefix(r.Header.Get("Cache-Control"), "private, max-age=") + "s")
			if err != nil || age < 0 || age > time.Minute || r.Header.Get("Etag") == "" {
				t.Fatalf("%s, second %d: headers %v", job, s, r.Header)
			}
			if s > 0 && r.body == previous.body && r.Header.Get("Etag") != previous.Header.Get("Etag") {
				t.Fatalf("%s, second %d: the ETag changed, but not the body", job, s)
			}
			if s > 0 && r.body != previous.body && r.Header.Get("Etag") == previous.Header.Get("Etag") {
				t.Fatalf("%s, second %d: the body changed, but not the ETag", job, s)
			}
			v := verifyURL(t, strings.Split(r.body, `"`)[len(strings.Split(r.body, `"`))-2], "GET", now)
			if left := v.SignedAt.Add(v.Expires).Sub(now); left < 14*time.Minute-time.Second {
				t.Fatalf("%s, second %d: the URL expires in %v", job, s, left)
			}
			again := g.get(path, "If-None-Match: "+r.Header.Get("Etag"))
			if again.StatusCode != 304 || again.body != "" || again.Header.Get("Etag") != r.Header.Get("Etag") || again.Header.Get("Cache-Control") == "" {
				t.Fatalf("%s, second %d: conditional request: %d %v", job, s, again.StatusCode, again.Header)
			}
			previous = r
		}
		if len(bodies) != 4 && len(bodies) != 5 {
			t.Errorf("%s: %d different documents in four one-minute quanta, want 4 or 5", job, len(bodies))
		}
	}
}

func TestSameDocumentWithinASecond(t *testing.T) {
	g := newGateway(t, nil)
	g.write("j1.json", hot)
	now := time.Date(2026, 11, 23, 12, 0, 0, 1, time.UTC)
	g.at(now)
	first := g.get("/things/t1/jobs/j1/document").body
	g.at(now.Add(900 * time.Millisecond))
	if other := g.get("/things/t2/jobs/j1/document").body; other != first {
		t.Errorf("another device got a different document in the same second:\n%s\n%s", first, other)
	}
	g.at(now.Add(time.Second))
	if next := g.get("/things/t1/jobs/j1/document").body; next == first {
		t.Error("the document did not change in the next second")
	}
}

func TestParametersAndContentType(t *testing.T) {
	g := newGateway(t, func(c *gateway.Config, g *testGateway) {
		c.Routes[0].Parameters = map[string]string{"channel": `sta"ble`}
		c.Routes = append(c.Routes, gateway.Route{Path: "/text/{jobId}", Document: "file://" + g.folder + "/{jobId}.txt", ContentType: "text/plain; charset=utf-8", Expires: time.Hour})
	})
	g.write("j1.json", `{"channel":"${aws:iot:parameter:channel}","other":"${thingName} stays ${x}"}`)
	if got, want := g.get("/things/t1/jobs/j1/document").body, `{"channel":"sta\"ble","other":"${thingName} stays ${x}"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	g.write("j2.txt", "curl ${aws:iot:s3-presigned-url:https://firmware.s3.us-west-2.amazonaws.com/a b}\n")
	r := g.get("/text/j2")
	if r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(r.body, "curl https://firmware.s3.us-west-2.amazonaws.com/a%20b?X-Amz-") {
		t.Errorf("got %v %s", r.Header, r.body)
	}
}

// TestForbiddenDocumentsLogLimit checks that documents that a source refuses are logged at a limited rate, so that a fleet, or
// a client that guesses names, cannot fill the log.
func TestForbiddenDocumentsLogLimit(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer backend.Close()
	g := newGateway(t, func(c *gateway.Config, _ *testGateway) {
		c.Routes[0].Document = backend.URL + "/{jobId}"
		c.Sources = map[string]source.Source{"http": source.NewHTTP(source.HTTPOptions{})}
	})
	began := time.Now()
	for i := range 100 {
		if r := g.get(fmt.Sprintf("/things/t1/jobs/guess-%d/document", i)); r.StatusCode != 404 {
			t.Fatalf("got %d %s", r.StatusCode, r.body)
		}
	}
	lines, most := strings.Count(g.log.String(), "a source refused a document"), 10*(2+int(time.Since(began)/time.Second))
	if lines == 0 || lines > most {
		t.Errorf("%d lines, want 1 to %d", lines, most)
	}
}
