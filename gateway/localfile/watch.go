package localfile

import (
	"cmp"
	"context"
	"os"
	"time"
)

// watchEvery is how often watched files are checked. Kubernetes takes longer to bring a changed ConfigMap to the node, and
// certificates are renewed days ahead.
const watchEvery = 2 * time.Second

// Watcher detects changes of files.
type Watcher struct {
	Every time.Duration // how often Run checks them; 0: every 2 s

	files func() []string
	known map[string]os.FileInfo
}

// NewWatcher returns a watcher of the files that files names; "" names none. Create it before reading the
// files, so that no change is missed.
func NewWatcher(files func() []string) *Watcher {
	return &Watcher{files: files, known: look(files())}
}

// Run calls changed when a file was written or replaced, also when a symbolic link points elsewhere (a ConfigMap), until
// ctx ends. It waits until the files have not changed for one interval, so that changed never reads a half-written file.
func (w *Watcher) Run(ctx context.Context, changed func()) {
	tick := time.NewTicker(cmp.Or(w.Every, watchEvery))
	defer tick.Stop()
	last := w.known
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := look(w.files())
		if still := same(now, last); still && !same(now, w.known) {
			w.known = now
			changed()
		}
		last = now
	}
}

// look reads what distinguishes versions of files: identity, time and size.
func look(files []string) map[string]os.FileInfo {
	seen := make(map[string]os.FileInfo, len(files))
	for _, name := range files {
		if name == "" {
			continue
		}
		if info, err := os.Stat(name); err == nil { // otherwise it is being replaced, or was removed
			seen[name] = info
		}
	}
	return seen
}

func same(a, b map[string]os.FileInfo) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		y, ok := b[name]
		if !ok || !os.SameFile(x, y) || !x.ModTime().Equal(y.ModTime()) || x.Size() != y.Size() {
			return false
		}
	}
	return true
}
