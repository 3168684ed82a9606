// Package browser drives the console in Debian's Chromium against the built binary.
package browser

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	operator, operatorSecret = "AKIAOPERATOR00000001", "operators-secret-0001"
	reader, readerSecret     = "AKIADASHBOARD0000001", "dashboards-secret-01"
)

// gateway starts the built binary and returns the address of its control listener.
func gateway(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	binary := filepath.Join(folder, "jobgate")
	build := exec.Command("go", "build", "-o", binary, "./cmd/jobgate")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	control := free()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keys := write("keys.yaml", fmt.Sprintf("access_keys:\n  - {id: %s, secret: %s}\n  - {id: %s, secret: %s, read_only: true}\n", operator, operatorSecret, reader, readerSecret))
	config := write("jobgate.yaml", fmt.Sprintf("listen: %s\nadmin: ''\ncontrol: %s\nauth: {mode: none}\njobs: {enabled: true, store: %s, access_keys_file: %s}\ndrain: {delay: 0s}\n",
		free(), control, filepath.Join(folder, "jobs.db"), keys))
	server := exec.Command(binary, "serve", "--config", config)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get("http://" + control + "/console/"); err == nil {
			_ = res.Body.Close()
			return "http://" + control + "/console/"
		}
		if time.Now().After(deadline) {
			t.Fatal("the gateway does not answer")
		}
	}
}

// tab is a browser with one page. Everything that it asks for and says is watched.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string
}

func open(t *testing.T, url string) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("JOBGATE_TEST_REQUIRE_SERVERS") != "" {
			t.Fatal("install Debian's chromium")
		}
		t.Skip("install Debian's chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, end := chromedp.NewContext(allocator)
	limited, done := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(func() { done(); end(); stop() })
	listen := func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if !strings.HasPrefix(e.Request.URL, "data:") && !strings.HasPrefix(e.Request.URL, strings.TrimSuffix(url, "console/")) {
				t.Errorf("a request leaves the origin: %s", e.Request.URL)
			}
			if strings.Contains(e.Request.URL, "secret-") {
				t.Errorf("the secret is in a URL: %s", e.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("the page threw: %v", e.ExceptionDetails)
		}
	}
	b := &tab{t, limited, url}
	b.do() // begins the target
	if err := chromedp.Listen(limited, listen); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1200, 900), chromedp.Navigate(url))
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) eval(expression string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// sees waits until the page shows text.
func (b *tab) sees(text string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		shown := b.eval("document.body.innerText")
		if strings.Contains(shown, text) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("does not show %q but\n%s", text, shown)
		}
	}
}

func (b *tab) visit(view string) { b.eval(fmt.Sprintf("location.hash = %q", view)) }

func (b *tab) signIn(id, secret string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible("#secret"), chromedp.SetValue("#key-id", id), chromedp.SetValue("#secret", secret), chromedp.Click("form button"))
}

// press clicks the button or link that says label.
func (b *tab) press(label string) {
	b.t.Helper()
	got := b.eval(fmt.Sprintf(`(() => { const n = [...document.querySelectorAll('button, a')].reverse().find((n) => n.textContent === %q); n?.click(); return n ? 'ok' : 'none'; })()`, label))
	if got != "ok" {
		b.t.Fatalf("there is no %s", label)
	}
}

// fill sets the control that label names.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	got := b.eval(fmt.Sprintf(`(() => { const l = [...document.querySelectorAll('label')].reverse().find((l) => l.textContent === %q); if (!l) return 'no such label'; const c = document.getElementById(l.htmlFor); c.value = %q; c.dispatchEvent(new Event('input', {bubbles: true})); c.dispatchEvent(new Event('change', {bubbles: true})); return 'ok'; })()`, label, value))
	if got != "ok" {
		b.t.Fatalf("%s: %s", label, got)
	}
}

func (b *tab) picture(name string) {
	b.t.Helper()
	folder := os.Getenv("JOBGATE_TEST_SCREENSHOTS")
	if folder == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// TestFlow: refused sign-ins are told plainly; then a thing is made, its view reloads, and signing out ends it.
func TestFlow(t *testing.T) {
	b := open(t, gateway(t))
	b.signIn(operator, "wrong-secret-00000000")
	b.sees("The secret access key is wrong")
	b.signIn("AKIANOBODY", operatorSecret)
	b.sees("does not know this access key")
	b.picture("sign-in")
	b.signIn(operator, operatorSecret)
	b.sees("Create job")

	b.visit("/things")
	b.sees("Create thing…")
	b.press("Create thing…")
	b.fill("Name", "sensor:1")
	b.press("Create thing")
	b.sees("arn:aws:iot:us-east-1:000000000000:thing/sensor:1")

	b.do(chromedp.Reload())
	b.sees("thing/sensor:1")
	b.press("Sign out")
	b.sees("You are signed out.")
}

// TestReadOnly: a key that may only look is offered nothing that changes, in any view, at a phone's width.
func TestReadOnly(t *testing.T) {
	b := open(t, gateway(t))
	b.do(chromedp.EmulateViewport(360, 740))
	b.signIn(reader, readerSecret)
	b.sees("(read-only)")
	for _, view := range []string{"/jobs", "/templates", "/things", "/groups", "/feed", "/create", "/templates-new"} {
		b.visit(view)
		b.do(chromedp.WaitVisible("main h1"))
		b.sees("Sign out")
		if got := b.eval(`[...document.querySelectorAll('main button, main a')].map((n) => n.textContent).filter((t) => /^(Create|Delete|Cancel|Add|Remove|Retry)/.test(t)).join()`); got != "" {
			t.Errorf("%s offers %s", view, got)
		}
		if got := b.eval("document.documentElement.scrollWidth"); got != "360" {
			t.Errorf("%s is %s px wide, want 360", view, got)
		}
		b.picture("phone" + strings.ReplaceAll(view, "/", "-"))
	}
}
