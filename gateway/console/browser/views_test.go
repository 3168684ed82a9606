package browser

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jobgate/gateway/servertest"
)

// hostile is text that users and devices may write into any field: HTML, right-to-left text, non-Latin scripts.
const hostile = `<img src=x onerror="window.injected=1"><script>window.injected=1</script>"'&lt; Größenänderung 日本語 עברית`

const longID = "a-job-whose-name-has-all-of-the-sixty-four-characters-it-may-hav"

// views are the addresses of all views of populate's objects.
var views = []string{
	"/jobs", "/jobs?status=IN_PROGRESS", "/jobs/" + longID, "/jobs/" + longID + "/executions", "/jobs/" + longID + "/failures",
	"/jobs/" + longID + "/document", "/jobs/" + longID + "/settings", "/things/sensor:1/jobs/" + longID + "/1", "/create", "/templates", "/templates-new",
	"/templates/template", "/templates/managed/AWS-Reboot", "/things", "/things/sensor:1", "/groups", "/groups/group", "/feed", "/nowhere",
}

// populate creates one object of every kind, with hostile text wherever text is accepted.
func (s *site) populate() {
	s.t.Helper()
	text, _ := json.Marshal(map[string]string{"text": hostile})
	s.operate(http.MethodPost, "/thing-groups/group", map[string]any{"thingGroupProperties": map[string]any{"thingGroupDescription": strings.Split(hostile, " Gr")[0]}})
	for _, thing := range []string{"sensor:1", "sensor:2"} {
		s.operate(http.MethodPost, "/things/"+thing, map[string]any{"attributePayload": map[string]any{"attributes": map[string]string{"site": "a_b.c,@/:#-"}}})
		s.operate(http.MethodPut, "/thing-groups/addThingToThingGroup", map[string]any{"thingName": thing, "thingGroupName": "group"})
	}
	s.operate(http.MethodPut, "/jobs/"+longID, map[string]any{
		"targets": []string{"arn:aws:iot:us-east-1:000000000000:thinggroup/group"}, "document": string(text), "description": hostile,
		"timeoutConfig": map[string]any{"inProgressTimeoutInMinutes": 60}, "tags": []map[string]string{{"Key": "team", "Value": "field service"}},
	})
	s.operate(http.MethodPut, "/job-templates/template", map[string]any{"document": string(text), "description": hostile})
	s.eventually("the job is queued", func() bool {
		job := s.operate(http.MethodGet, "/jobs/"+longID, nil)["job"].(map[string]any)
		return job["jobProcessDetails"].(map[string]any)["numberOfQueuedThings"] == 2.0
	})
	s.report("sensor:1", longID, "FAILED", map[string]string{"reason": hostile, "step": "<b>flash</b>"})
}

// TestInjection: any field's content is shown as text, in every view.
func TestInjection(t *testing.T) {
	s := newSite(t, "")
	s.populate()
	b := open(t, s.control)
	b.signedIn()
	for _, view := range views {
		b.visit(view)
		if got := b.eval(`window.injected || document.querySelectorAll('main img, main script, main b').length`); got != "0" {
			t.Errorf("%s interpreted text as HTML: %s", view, got)
		}
	}
	for _, view := range []string{"/jobs/" + longID, "/things/sensor:1/jobs/" + longID + "/1", "/jobs/" + longID + "/failures", "/templates/template", "/groups/group"} {
		b.visit(view)
		b.sees(`<img src=x onerror="window.injected=1">`)
	}
	b.visit("/jobs/" + longID + "/document")
	b.sees(`<img src=x onerror=\"window.injected=1\">`)
	b.visit("/jobs/%3Cimg%20src%3Dx%20onerror%3Dwindow.injected%3D1%3E")
	if got := b.eval(`window.injected || document.querySelectorAll('main img').length`); got != "0" {
		t.Error("an address was interpreted as HTML")
	}
	b.do(chromedp.EmulateViewport(360, 740))
	for _, view := range views {
		b.visit(view)
		if got := b.eval("document.documentElement.scrollWidth"); got != "360" {
			t.Errorf("%s is %s px wide, want 360", view, got)
		}
	}
}

// TestReload: reloading a view shows the same view, and back and forward work.
func TestReload(t *testing.T) {
	s := newSite(t, "")
	s.populate()
	b := open(t, s.control)
	b.signedIn()
	heading := func() string { return b.eval(`document.querySelector('main h1').textContent + '|' + location.hash`) }
	var seen []string
	for _, view := range views {
		b.visit(view)
		before := heading()
		seen = append(seen, before)
		b.do(chromedp.Reload())
		b.drawn()
		if after := heading(); after != before {
			t.Errorf("%s: %q, after a reload %q", view, before, after)
		}
	}
	for i := len(seen) - 2; i >= len(seen)-4; i-- {
		b.do(chromedp.NavigateBack())
		b.drawn()
		if got := heading(); got != seen[i] {
			t.Errorf("back leads to %q, want %q", got, seen[i])
		}
	}
	b.do(chromedp.NavigateForward())
	b.drawn()
	if got := heading(); got != seen[len(seen)-3] {
		t.Errorf("forward leads to %q, want %q", got, seen[len(seen)-3])
	}
}

// axe returns the source of axe-core, which npm installs once.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "jobgate", "axe-core-4.14.1")
	path := filepath.Join(folder, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(path); err != nil {
		if out, err := exec.Command("npm", "install", "--no-audit", "--no-fund", "--prefix", folder, "axe-core@4.14.1").CombinedOutput(); err != nil {
			servertest.Missing(t, "install npm, which brings axe-core: %v\n%s", err, out)
		}
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

// TestAccessibility: axe finds no violation in any view, dark or light, with a dialog open, or signed out.
func TestAccessibility(t *testing.T) {
	source := axe(t)
	s := newSite(t, "")
	s.populate()
	b := open(t, s.control)
	check := func(what string) {
		t.Helper()
		b.eval("(() => { if (!window.axe) { " + source + " } })()")
		found := b.eval(`axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) => v.id + ': ' + v.help + ' ' + v.nodes.map((n) => n.html.slice(0, 200) + ' ' + (n.failureSummary || '')).join('; ')).join('\n'))`)
		if found != "" {
			t.Errorf("%s: %s", what, found)
		}
	}
	b.do(chromedp.WaitVisible("#secret"))
	check("sign-in")
	b.signedIn()
	for _, scheme := range []string{"light", "dark"} {
		b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			return err
		}))
		for _, view := range views {
			b.visit(view)
			check(scheme + " " + view)
			b.picture(scheme + strings.NewReplacer("/", "-", ":", "-", "?", "-").Replace(view))
		}
		b.visit("/jobs/" + longID)
		for _, dialog := range []string{"Cancel…", "Delete…", "Retry failed…"} {
			b.press(dialog)
			check(scheme + " " + dialog)
			b.picture(scheme + "-dialog-" + strings.TrimSuffix(dialog, "…"))
			b.press("Keep as it is")
		}
	}
}

// TestKeyboard: Tab reaches every control in the order of the page, and each shows its focus. A dialog keeps the focus, and
// Escape closes it.
func TestKeyboard(t *testing.T) {
	s := newSite(t, "")
	s.populate()
	b := open(t, s.control)
	b.do(chromedp.WaitVisible("#secret"))
	b.do(chromedp.KeyEvent(operator), chromedp.KeyEvent("\t"), chromedp.KeyEvent(operatorSecret), chromedp.KeyEvent("\r"))
	b.sees("Sign out")
	b.drawn()
	for _, view := range []string{"/jobs", "/jobs/" + longID, "/create", "/things/sensor:1"} {
		b.visit(view)
		b.eval(`(() => { document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); window.last = null; for (const n of document.querySelectorAll('[data-visited]')) delete n.dataset.visited; })()`)
		want := b.eval(`[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter((n) => !n.disabled && n.checkVisibility() && !n.matches('[tabindex="-1"]') && !n.closest('[hidden]')).length`)
		n, unseen := 0, ""
		for range 200 {
			b.do(chromedp.KeyEvent("\t"))
			at := b.eval(`(() => { const n = document.activeElement; if (!n || n === document.body) return 'end'; if (n === window.last) return 'same'; window.last = n; if (n.dataset.visited) return 'end'; n.dataset.visited = 1; const s = getComputedStyle(n); return s.outlineStyle === 'none' && s.boxShadow === 'none' ? 'unseen ' + n.outerHTML.slice(0, 100) : 'ok'; })()`)
			if at == "end" {
				break
			}
			if at == "same" { // another part of a date field
				continue
			}
			if strings.HasPrefix(at, "unseen") {
				unseen = at
			}
			n++
		}
		if unseen != "" {
			t.Errorf("%s: the focus is not visible: %s", view, unseen)
		}
		if w := atoi(t, want); n < w {
			missed := b.eval(`[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')].filter((n) => !n.disabled && n.checkVisibility() && !n.matches('[tabindex="-1"]') && !n.closest('[hidden]') && !n.dataset.visited).map((n) => n.outerHTML.slice(0, 120)).join('\n')`)
			t.Errorf("%s: Tab reaches %d of %d controls, but not:\n%s", view, n, w, missed)
		}
	}
	b.visit("/jobs/" + longID)
	b.eval(`[...document.querySelectorAll('button')].find((n) => n.textContent === 'Delete…').focus()`)
	b.do(chromedp.KeyEvent("\r"))
	b.sees("Delete " + longID + "?")
	for range 12 {
		b.do(chromedp.KeyEvent("\t"))
		if got := b.eval(`document.activeElement === document.body || !!document.activeElement.closest('dialog')`); got != "true" {
			t.Fatal("Tab leaves the dialog")
		}
	}
	b.do(chromedp.KeyEvent("\u001b"))
	b.lacks("Delete " + longID + "?")
	s.eventually("the focus is back on the button that opened the dialog", func() bool { return b.eval(`document.activeElement.textContent`) == "Delete…" })
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
