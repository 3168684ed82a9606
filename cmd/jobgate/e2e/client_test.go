package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// answer is the part of an HTTP answer that the tests use.
type answer struct {
	status int
	header http.Header
	body   string
	last   bool // the connection is closed after it
}

// client is a device or an operator. It follows no redirects and uses no proxy.
var client = &http.Client{
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ask sends one request; headers are "Name: value".
func ask(c *http.Client, method, url, body string, headers ...string) (answer, error) {
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	res, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	a := answer{res.StatusCode, res.Header, string(text), res.Close}
	a.noteSecrets()
	return a, err
}

// do is ask, but fails the test if there is no answer.
func do(t *testing.T, method, url, body string, headers ...string) answer {
	t.Helper()
	a, err := ask(client, method, url, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, withoutQuery(url), err)
	}
	return a
}

func get(t *testing.T, url string, headers ...string) answer {
	t.Helper()
	return do(t, http.MethodGet, url, "", headers...)
}

func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

var secretInURL = regexp.MustCompile(`X-Amz-(?:Security-Token|Signature)=([^&"\s]+)`)

// noteSecrets adds the signatures and session tokens in an answer's URLs to the journal.
func (a answer) noteSecrets() {
	for _, m := range secretInURL.FindAllStringSubmatch(a.body, -1) {
		decoded, _ := url.QueryUnescape(m[1])
		logs.secret(m[1], decoded)
	}
}

// document returns the document, names and URLs, of an answer that must be 200.
func (a answer) document(t *testing.T) map[string]string {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("got %d, want a document: %s", a.status, a.body)
	}
	var d map[string]string
	if err := json.Unmarshal([]byte(a.body), &d); err != nil {
		t.Fatalf("invalid document: %v\n%s", err, a.body)
	}
	return d
}

// internals matches details of the machine and the program, which no answer may reveal.
var internals = regexp.MustCompile(`/(?:tmp|root|home)/|/dev/shm|goroutine |\.go:\d|\*(?:url|net|fmt|errors|os|json|gateway|jobdoc|source|cache|role|fs)\.|&errors|dial tcp|no such file|X-Amz-`)

// refused checks that an answer is an error in the gateway's format, without secrets or internals.
func refused(t *testing.T, what string, a answer, status int, text string) {
	t.Helper()
	var e struct{ Code, Message string }
	if err := json.Unmarshal([]byte(a.body), &e); err != nil || e.Code == "" || e.Message == "" {
		t.Errorf("%s: the body is not {code, message}: %d %q", what, a.status, a.body)
		return
	}
	if a.status != status || !strings.Contains(e.Message, text) {
		t.Errorf("%s: got %d %q, want %d … %q", what, a.status, e.Message, status, text)
	}
	if a.header.Get("X-Amzn-ErrorType") != e.Code+"Exception" || a.header.Get("X-Amzn-RequestId") == "" {
		t.Errorf("%s: the error has the headers %v", what, a.header)
	}
	if held := logs.held(a.body); len(held) > 0 || internals.MatchString(a.body) {
		t.Errorf("%s: the answer reveals secrets %q or internals: %s", what, held, a.body)
	}
}

// unavailable checks that an answer is a 503 with Retry-After.
func unavailable(t *testing.T, what string, a answer) {
	t.Helper()
	refused(t, what, a, http.StatusServiceUnavailable, "")
	if after := a.header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("%s: Retry-After is %q", what, after)
	}
}

// raw sends bytes unchanged and reads the first answer, which is zero if the connection was closed without one. The
// connection stays open until the test ends.
func raw(t *testing.T, address, request string) answer {
	t.Helper()
	conn := dial(t, address)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return readAnswer(conn)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readAnswer(conn net.Conn) answer {
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), res.Close}
}
