package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestHasPlaceholder(t *testing.T) {
	f := func(body string, want bool) {
		t.Helper()
		if got := hasPlaceholder([]byte(body)); got != want {
			t.Errorf("hasPlaceholder(%s) = %t, want %t", body, got, want)
		}
	}
	plain := `{"url":"${aws:iot:s3-presigned-url:https://s3.amazonaws.com/b/k}"}`
	quoted := func(s string) string {
		b, err := json.Marshal(map[string]string{"jobDocument": s})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	f(`{}`, false)
	f(`{"a":"${thingName}","b":"${aws:s3}"}`, false)
	f(plain, true)
	f(quoted(plain), true)
	f(quoted(quoted(plain)), true)
	f(`{"url":"\u0024{aws:iot:x}"}`, true)
	f(`{"url":"$\u007Baws:iot:x}"}`, true)
	f(`{"url":"$\u007b\u0061ws:iot:x}"}`, true)
	f(quoted(`{"url":"\u0024{aws:iot:x}"}`), true)
	f(quoted(quoted(`{"url":"\u0024{aws:iot:x}"}`)), true)
	f(`{"a":"\u0026 \u00e4 \u00"}`, false)
	f(`\u00`, false)
}

func TestCheck(t *testing.T) {
	f := func(code int, contentType, body string, allowed map[int]bool, want kind) {
		t.Helper()
		var resp fasthttp.Response
		resp.SetStatusCode(code)
		resp.Header.SetContentType(contentType)
		resp.SetBodyString(body)
		s := compiledStep{status: allowed}
		if got, err := s.check(&resp, true); got != want || (err == nil) != (want == good) {
			t.Errorf("%d %s %q: %s (%v), want %s", code, contentType, body, got, err, want)
		}
	}
	f(200, "application/json", `{"a":1}`, nil, good)
	f(204, "application/json", "", nil, good)
	f(200, "application/json", "", nil, notJSON)
	f(200, "text/plain", "", nil, good)
	f(301, "text/plain", "", nil, wrongStatus)
	f(500, "text/plain", "", nil, wrongStatus)
	f(404, "text/plain", "", map[int]bool{404: true}, good)
	f(200, "text/plain", "", map[int]bool{404: true}, wrongStatus)
	f(200, "application/json; charset=utf-8", `{"a":1`, nil, notJSON)
	f(200, "application/json", `[1,2`, nil, notJSON)
	f(200, "application/json", `{"a":}`, nil, notJSON)
	f(200, "application/json", ` {"a":1} `+"\n", nil, good)
	f(200, "text/plain", `{"a":`, nil, good)
	f(200, "Application/JSON", `{"a":`, nil, notJSON)
	f(200, "application/problem+json; charset=utf-8", `{"a":`, nil, notJSON)
	f(200, "application/x-amz-json-1.1", `{"a":`, nil, notJSON)
	f(200, "application/x-ndjson", "{}\n{}\n", nil, good)
	f(200, "application/json-seq", "\x1e{}\n", nil, good)
	f(200, "text/yaml", "url: ${aws:iot:parameter:x}", nil, placeholderLeft)
}

func TestLookup(t *testing.T) {
	doc := `{"execution":{"jobId":"job-1","versionNumber":3,"list":[{"x":"y"}],"bad":"a/b","deep":{}}}`
	f := func(path, want string) {
		t.Helper()
		if got := string(lookup([]byte(doc), strings.Split(path, "."))); got != want {
			t.Errorf("lookup(%s) = %q, want %q", path, got, want)
		}
	}
	f("execution.jobId", "job-1")
	f("execution.versionNumber", "3")
	f("execution.list.0.x", "y")
	f("execution.list.1.x", "")
	f("execution.nothing", "")
	f("execution.bad", "") // would be another path
	f("execution.deep", "")
	f("x", "")
	if got := lookup([]byte(`{"truncated":`), []string{"truncated"}); got != nil {
		t.Errorf("a broken document gave %q", got)
	}
}

func TestKinds(t *testing.T) {
	for k := range kinds {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	connect := func(err error, want kind) {
		t.Helper()
		if got := connectKind(fmt.Errorf("dial: %w", err)); got != want {
			t.Errorf("connecting fails with %v: %s, want %s", err, got, want)
		}
	}
	connect(syscall.ECONNREFUSED, refused)
	connect(syscall.EMFILE, exhausted)
	connect(syscall.EADDRNOTAVAIL, exhausted)
	connect(os.ErrDeadlineExceeded, connectTimeout)
	connect(tlsError{errors.New("bad certificate")}, tlsFailed)
	connect(tlsError{os.ErrDeadlineExceeded}, connectTimeout)
	connect(errors.New("no route"), connectFailed)
	answer := func(err error, begun bool, want kind) {
		t.Helper()
		if got := answerKind(fmt.Errorf("read: %w", err), begun); got != want {
			t.Errorf("answering fails with %v (begun: %t): %s, want %s", err, begun, got, want)
		}
	}
	answer(os.ErrDeadlineExceeded, true, timedOut)
	answer(io.EOF, false, closed)
	answer(syscall.ECONNRESET, false, closed)
	answer(net.ErrClosed, false, closed)
	answer(io.ErrUnexpectedEOF, true, truncated)
	answer(fasthttp.ErrBodyTooLarge, true, tooLarge)
	answer(errors.New("unexpected first line"), true, garbage)
}

func TestExampleHidesQueries(t *testing.T) {
	got := example(errors.New("bad \"Location: https://h/k?X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=abc123&x-amz-security-token=tok\"\x00\n" + strings.Repeat("z", 300)))
	for _, secret := range []string{"AKIA", "abc123", "tok\"", "\n", "\x00"} {
		if strings.Contains(got, secret) {
			t.Errorf("the example %q shows %q", got, secret)
		}
	}
	if len(got) > 170 {
		t.Errorf("the example has %d bytes", len(got))
	}
}

func TestPresignedURLs(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		got := presignedURLs([]byte(body))
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("the URLs in %s are %q, want %q", body, got, want)
		}
	}
	u := "https://s3.us-east-1.amazonaws.com/b/k?X-Amz-Date=1&X-Amz-Signature=ab"
	f(`{"a":"`+u+`"}`, u)
	f(`{"a":"`+u+`","b":"http://x/y","c":"`+u+`2"}`, u, u+"2")
	f(`{"jobDocument":"{\"a\":\"`+u+`\"}"}`, u)
	f(`{"a":"https:\/\/h\/k?X-Amz-Signature=ab"}`, "https://h/k?X-Amz-Signature=ab")
	f(`{"a":"https://h/k?a=b\u0026X-Amz-Signature=ab"}`, "https://h/k?a=b&X-Amz-Signature=ab")
	f(`{"jobDocument":"{\"a\":\"https://h/k?a=b\\u0026X-Amz-Signature=ab\"}"}`, "https://h/k?a=b&X-Amz-Signature=ab")
	f(`{"jobDocument":"{\"a\":\"https:\\/\\/h\\/k?X-Amz-Signature=ab\"}"}`, "https://h/k?X-Amz-Signature=ab")
	f("url: "+u+"\nnext", u)
	f(u, u)
	f("http", []string{}...)
}
