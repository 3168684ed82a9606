package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestSignIn: refused sign-ins have clear messages. After a sign-in a thing can be created, its view can be reloaded, and the
// operator can sign out.
func TestSignIn(t *testing.T) {
	b := open(t, newSite(t, "").control)
	b.signIn(operator, "wrong-secret-00000000")
	b.sees("The secret access key is wrong")
	b.signIn("AKIANOBODY", operatorSecret)
	b.sees("does not know this access key")
	b.picture("sign-in")
	b.eval(`(window.now = Date.now, Date.now = () => window.now() + 3600e3, window.RealDate = Date, window.Date = class extends RealDate { constructor(...a) { if (a.length) super(...a); else super(window.now() + 3600e3); } static now() { return window.now() + 3600e3; } })`)
	b.signIn(operator, operatorSecret)
	b.sees("60 minutes ahead of the gateway's")
	b.do(chromedp.Reload())
	b.signedIn()

	b.visit("/things")
	b.press("Create thing…")
	b.fill("Name", "sensor:1")
	b.press("Create thing")
	b.sees("arn:aws:iot:us-east-1:000000000000:thing/sensor:1")

	b.do(chromedp.Reload())
	b.sees("thing/sensor:1")
	b.secretIsNowhere()
	b.press("Sign out")
	b.sees("You are signed out.")
	b.do(chromedp.Reload())
	b.sees("Secret access key")
	b.lacks("Sign out")
}

// secretIsNowhere searches for the secret in the page's storage, cookies, document and logs, and checks that the stored keys
// cannot be read back.
func (b *tab) secretIsNowhere() {
	b.t.Helper()
	kept := b.eval(`(async () => {
		const parts = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie, location.href, document.documentElement.outerHTML, JSON.stringify(history.state)];
		for (const {name} of await indexedDB.databases()) {
			const db = await new Promise((done) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result); });
			for (const store of db.objectStoreNames) {
				const all = await new Promise((done) => { const r = db.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result); });
				for (const session of all) {
					parts.push(JSON.stringify(session));
					for (const key of Object.values(session.keys)) {
						if (!(key instanceof CryptoKey) || key.extractable) parts.push('a key can be read: -secret-');
						try { await crypto.subtle.exportKey('raw', key); parts.push('a key was read: -secret-'); } catch {}
					}
				}
			}
			db.close();
		}
		for (const name of await caches.keys()) parts.push('a cache: -secret- ' + name);
		return parts.join('\n');
	})()`)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range append(b.logged, kept) {
		if strings.Contains(text, "-secret-") {
			b.t.Errorf("the secret is kept or shown: %s", text)
		}
	}
}

// TestReadOnly: with a read-only key no view offers an action that changes something. The views fit a phone's width.
func TestReadOnly(t *testing.T) {
	s := newSite(t, "")
	s.populate()
	b := open(t, s.control)
	b.do(chromedp.EmulateViewport(360, 740))
	b.signIn(reader, readerSecret)
	b.sees("(read-only)")
	for _, view := range views {
		b.visit(view)
		b.sees("Sign out")
		if got := b.eval(`[...document.querySelectorAll('main button, main a')].map((n) => n.textContent).filter((t) => /^(Create|Delete|Cancel|Add|Remove|Retry|Save)/.test(t)).join()`); got != "" {
			t.Errorf("%s offers %s", view, got)
		}
		if got := b.eval("document.documentElement.scrollWidth"); got != "360" {
			t.Errorf("%s is %s px wide, want 360", view, got)
		}
		b.picture("phone" + strings.NewReplacer("/", "-", ":", "-", "?", "-").Replace(view))
	}
}
