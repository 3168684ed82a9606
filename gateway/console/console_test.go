package console

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"jobgate/gateway/edge"
	"jobgate/gateway/servertest"
)

// newClient serves the console in front of a handler that answers 418, and returns a function that sends requests.
func newClient(t *testing.T) func(method, target string, header map[string]string, body string) (*http.Response, []byte) {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	h := edge.NewHTTP(c.Front(edge.HTTPOptions{
		Handler: func(ctx *fasthttp.RequestCtx) *edge.Route {
			ctx.SetStatusCode(http.StatusTeapot)
			return nil
		},
		Admit: func(*fasthttp.RequestHeader) *edge.Fault {
			return &edge.Fault{Status: http.StatusForbidden, Code: "MissingAuthenticationToken"}
		},
		MaxRequestHeader: 8192, MaxBody: 1 << 20,
	}))
	l := fasthttputil.NewInmemoryListener()
	go func() { _ = h.Serve(l) }()
	t.Cleanup(func() { _ = l.Close() })
	client := &http.Client{
		Transport:     &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return l.Dial() }, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(method, target string, header map[string]string, body string) (*http.Response, []byte) {
		t.Helper()
		req, err := http.NewRequest(method, "http://gateway.example:8082"+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			req.Header.Set(k, v)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		got, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, got
	}
}

func TestServe(t *testing.T) {
	ask := newClient(t)
	page, err := os.ReadFile("static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	res, body := ask("GET", "/console/?x", nil, "")
	if res.StatusCode != 200 || !bytes.Equal(body, page) || res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %v", res.StatusCode, res.Header)
	}
	for _, h := range headers {
		if res.Header.Get(h[0]) != h[1] {
			t.Errorf("%s: %q", h[0], res.Header.Get(h[0]))
		}
	}
	if got := res.Header.Get(HeaderHost); got != "gateway.example:8082" {
		t.Errorf("%s: %q", HeaderHost, got)
	}
	if got := res.Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("other origins are allowed: %q", got)
	}

	packed, body := ask("GET", "/console/", map[string]string{"Accept-Encoding": "br, gzip"}, "")
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil || packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("ETag") == res.Header.Get("ETag") {
		t.Fatalf("gzip: %v %v", err, packed.Header)
	}
	if plain, err := io.ReadAll(r); err != nil || !bytes.Equal(plain, page) {
		t.Errorf("gzip: %v, %d bytes", err, len(plain))
	}

	f := func(method, target string, header map[string]string, body string, want int) *http.Response {
		t.Helper()
		res, _ := ask(method, target, header, body)
		if res.StatusCode != want {
			t.Errorf("%s %s: got %d, want %d", method, target, res.StatusCode, want)
		}
		return res
	}
	f("GET", "/console/", map[string]string{"If-None-Match": `"x", W/` + res.Header.Get("ETag")}, "", 304)
	f("GET", "/console/", map[string]string{"If-None-Match": packed.Header.Get("ETag"), "Accept-Encoding": "gzip"}, "", 304)
	f("GET", "/console/", map[string]string{"If-None-Match": `"x"`}, "", 200)
	f("HEAD", "/console/app.js", nil, "", 200)
	if res := f("GET", "/console", nil, "", 308); res.Header.Get("Location") != "/console/" {
		t.Errorf("Location: %q", res.Header.Get("Location"))
	}
	if res := f("POST", "/console/", nil, "x", 405); res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow: %q", res.Header.Get("Allow"))
	}
	f("GET", "/console/nothing", nil, "", 404)
	f("GET", "/console/../console.go", nil, "", 404)
	f("GET", "/consoles", nil, "", http.StatusTeapot)
	f("GET", "/jobs", nil, "", http.StatusTeapot)
	if res := f("GET", "/console/", nil, strings.Repeat("x", 100), 200); !res.Close {
		t.Error("a body is read before its sender is authenticated")
	}
}

// All files are small and of a known type, and use nothing that the policy blocks or that writes data as HTML.
func TestFiles(t *testing.T) {
	banned := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage|\son[a-z]+="|\sstyle="|<script>|https?://[a-z]`)
	total := 0
	err := filepath.WalkDir("static", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		total += len(body)
		if contentTypes[filepath.Ext(path)] == "" {
			t.Errorf("%s: no content type is known for it", path)
		}
		for _, name := range []string{"http://www.w3.org/2000/svg", "https://bucket.s3."} { // a namespace and an example, neither is requested
			body = bytes.ReplaceAll(body, []byte(name), nil)
		}
		if at := banned.Find(body); at != nil {
			t.Errorf("%s holds %q", path, at)
		}
		return nil
	})
	if err != nil || total == 0 || total > MaxBytes {
		t.Errorf("%d bytes of files, want at most %d: %v", total, MaxBytes, err)
	}
}

// TestModules runs the modules' own tests.
func TestModules(t *testing.T) {
	node := servertest.Program(t, "node", "nodejs")
	tests, err := filepath.Glob("testdata/*.test.mjs")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	if out, err := exec.Command(node, append([]string{"--test"}, tests...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
