// Package browser drives the console in Debian's Chromium against the built binary.
package browser

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"jobgate/gateway/servertest"
)

// tab is a browser with one page. It records the log messages and checks all requests.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string // of the console

	mu     sync.Mutex
	logged []string // messages of the page
}

// open opens the console of origin in a browser of its own.
func open(t *testing.T, origin string, more ...chromedp.ExecAllocatorOption) *tab {
	t.Helper()
	path := servertest.Program(t, "chromium", "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	ctx, end := chromedp.NewContext(allocator)
	limited, done := context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(func() { done(); end(); stop() })
	b := &tab{t: t, ctx: limited, url: origin + "/console/"}
	listen := func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if url := e.Request.URL; !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, origin+"/") {
				t.Errorf("a request leaves the origin: %s", url)
			}
			if strings.Contains(e.Request.URL, "-secret-") {
				t.Errorf("the secret is in a URL: %s", e.Request.URL)
			}
		case *runtime.EventExceptionThrown:
			t.Errorf("the page threw: %v", e.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			b.mu.Lock()
			for _, arg := range e.Args {
				b.logged = append(b.logged, string(arg.Value))
			}
			b.mu.Unlock()
		}
	}
	b.do() // starts the target
	if err := chromedp.Listen(limited, listen); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1200, 900), chromedp.Navigate(b.url))
	return b
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of an expression as a string; it awaits promises.
func (b *tab) eval(expression string) string {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("(async () => String(await ("+expression+")))()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression[:min(len(expression), 200)], err)
	}
	return value
}

func (b *tab) shown() string { b.t.Helper(); return b.eval("document.body.innerText") }

// sees waits until the page shows text.
func (b *tab) sees(text string) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		shown := b.shown()
		if strings.Contains(shown, text) {
			return
		}
		if time.Now().After(deadline) {
			b.picture("failed-" + b.t.Name())
			b.t.Fatalf("the page does not show %q, but:\n%s", text, shown)
		}
	}
}

// lacks fails if the page shows text.
func (b *tab) lacks(text string) {
	b.t.Helper()
	if shown := b.shown(); strings.Contains(shown, text) {
		b.t.Fatalf("the page shows %q:\n%s", text, shown)
	}
}

// visit opens a view by its address, and waits until it is drawn.
func (b *tab) visit(view string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("(location.hash = %q, new Promise((done) => setTimeout(done, 50)))", view))
	b.drawn()
}

// drawn waits until a view has its heading and has finished loading, which the page announces.
func (b *tab) drawn() {
	b.t.Helper()
	b.eval(`new Promise((done) => { const look = () => document.querySelector('main h1') && document.getElementById('status').textContent === document.title ? done() : setTimeout(look, 20); setTimeout(done, 20000); look(); })`)
}

func (b *tab) signIn(id, secret string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible("#secret"), chromedp.SetValue("#key-id", id), chromedp.SetValue("#secret", secret), chromedp.Click("form button"))
}

// signedIn signs in as an operator.
func (b *tab) signedIn() {
	b.t.Helper()
	b.signIn(operator, operatorSecret)
	b.sees("Sign out")
	b.drawn()
}

// press clicks the last button or link with the text label. While a dialog is open, it is one of the dialog's, as for a
// user.
func (b *tab) press(label string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		got := b.eval(fmt.Sprintf(`(() => { const n = [...(document.querySelector('dialog[open]') ?? document).querySelectorAll('button, a')].reverse().find((n) => n.textContent === %q && !n.disabled); n?.click(); return n ? 'ok' : 'none'; })()`, label))
		if got == "ok" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("no button or link %q in\n%s", label, b.shown())
		}
	}
}

// fill sets the last control with the label.
func (b *tab) fill(label, value string) {
	b.t.Helper()
	got := b.eval(fmt.Sprintf(`(() => {
		const l = [...document.querySelectorAll('label')].reverse().find((l) => l.textContent === %q);
		if (!l) return 'no such label';
		const c = l.htmlFor ? document.getElementById(l.htmlFor) : l.querySelector('input');
		if (c.type === 'checkbox') c.checked = %q === 'true'; else c.value = %q;
		c.dispatchEvent(new Event('input', {bubbles: true}));
		c.dispatchEvent(new Event('change', {bubbles: true}));
		return 'ok';
	})()`, label, value, value))
	if got != "ok" {
		b.t.Fatalf("%s: %s", label, got)
	}
}

// picture saves a screenshot in JOBGATE_TEST_SCREENSHOTS, if that is set.
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
