package answer

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
	f := func(code int, contentType, body string, allowed map[int]bool, want Kind) {
		t.Helper()
		var resp fasthttp.Response
		resp.SetStatusCode(code)
		resp.Header.SetContentType(contentType)
		resp.SetBodyString(body)
		if got, err := Check(&resp, allowed, true); got != want || (err == nil) != (want == Good) {
			t.Errorf("%d %s %q: %s (%v), want %s", code, contentType, body, got, err, want)
		}
	}
	f(200, "application/json", `{"a":1}`, nil, Good)
	f(204, "application/json", "", nil, Good)
	f(200, "application/json", "", nil, NotJSON)
	f(200, "text/plain", "", nil, Good)
	f(301, "text/plain", "", nil, WrongStatus)
	f(500, "text/plain", "", nil, WrongStatus)
	f(404, "text/plain", "", map[int]bool{404: true}, Good)
	f(200, "text/plain", "", map[int]bool{404: true}, WrongStatus)
	f(200, "application/json; charset=utf-8", `{"a":1`, nil, NotJSON)
	f(200, "application/json", `[1,2`, nil, NotJSON)
	f(200, "application/json", `{"a":}`, nil, NotJSON)
	f(200, "application/json", ` {"a":1} `+"\n", nil, Good)
	f(200, "text/plain", `{"a":`, nil, Good)
	f(200, "Application/JSON", `{"a":`, nil, NotJSON)
	f(200, "application/problem+json; charset=utf-8", `{"a":`, nil, NotJSON)
	f(200, "application/x-amz-json-1.1", `{"a":`, nil, NotJSON)
	f(200, "application/x-ndjson", "{}\n{}\n", nil, Good)
	f(200, "application/json-seq", "\x1e{}\n", nil, Good)
	f(200, "text/yaml", "url: ${aws:iot:parameter:x}", nil, PlaceholderLeft)
}

func TestKinds(t *testing.T) {
	for k := range Kinds {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	connect := func(err error, want Kind) {
		t.Helper()
		if got := ConnectKind(fmt.Errorf("dial: %w", err)); got != want {
			t.Errorf("ConnectKind(%v) = %s, want %s", err, got, want)
		}
	}
	connect(syscall.ECONNREFUSED, Refused)
	connect(syscall.EMFILE, Exhausted)
	connect(syscall.EADDRNOTAVAIL, Exhausted)
	connect(os.ErrDeadlineExceeded, ConnectTimeout)
	connect(TLSError{errors.New("bad certificate")}, TLSFailed)
	connect(TLSError{os.ErrDeadlineExceeded}, ConnectTimeout)
	connect(errors.New("no route"), ConnectFailed)
	answered := func(err error, begun bool, want Kind) {
		t.Helper()
		if got := ExchangeKind(fmt.Errorf("read: %w", err), begun); got != want {
			t.Errorf("ExchangeKind(%v, begun: %t) = %s, want %s", err, begun, got, want)
		}
	}
	answered(os.ErrDeadlineExceeded, true, TimedOut)
	answered(io.EOF, false, Closed)
	answered(syscall.ECONNRESET, false, Closed)
	answered(net.ErrClosed, false, Closed)
	answered(io.ErrUnexpectedEOF, true, Truncated)
	answered(fasthttp.ErrBodyTooLarge, true, TooLarge)
	answered(errors.New("unexpected first line"), true, Garbage)
}

func TestExampleHidesQueries(t *testing.T) {
	got := Example(errors.New("bad \"Location: https://h/k?X-Amz-Credential=AKIA%2Fx&X-Amz-Signature=abc123&x-amz-security-token=tok\"\x00\n" + strings.Repeat("z", 300)))
	for _, secret := range []string{"AKIA", "abc123", "tok\"", "\n", "\x00"} {
		if strings.Contains(got, secret) {
			t.Errorf("the example %q contains %q", got, secret)
		}
	}
	if len(got) > 170 {
		t.Errorf("the example has %d bytes, want at most 170", len(got))
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
