package localfile

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		at := func(name string) string { return filepath.Join(folder, name) }
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		moment := time.Now()
		write := func(name, text string) {
			t.Helper()
			ok(os.WriteFile(at(name), []byte(text), 0o600))
			ok(os.Chtimes(at(name), moment, moment))
		}
		write("file", "old")
		write("one", "1")
		ok(os.Symlink("one", at("link")))
		w := NewWatcher(func() []string { return []string{at("file"), "", at("link")} })
		write("file", "read too early") // a change before Run counts
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var calls atomic.Int32
		go w.Run(ctx, func() { calls.Add(1) })
		time.Sleep(watchEvery / 2) // what follows happens between two looks
		f := func(what string, want int32) {
			t.Helper()
			time.Sleep(3 * watchEvery)
			synctest.Wait()
			if n := calls.Swap(0); n != want {
				t.Errorf("%s: %d calls, want %d", what, n, want)
			}
		}
		f("changed before Run", 1)
		f("nothing changed", 0)
		write("file", "longer than it was")
		f("another size at the same time", 1)
		moment = moment.Add(time.Nanosecond)
		write("file", "longer than it was")
		f("another time", 1)
		write("new", "longer than it was")
		ok(os.Rename(at("new"), at("file")))
		f("another file of the same time and size", 1)
		write("two", "1")
		ok(os.Symlink("two", at("new")))
		ok(os.Rename(at("new"), at("link")))
		f("a link that leads elsewhere", 1)
		ok(os.Remove(at("file")))
		f("removed", 1)
		write("file", "")
		for text := "."; len(text) < 5; text += "." { // still being written at each look
			time.Sleep(watchEvery)
			write("file", text)
			if calls.Load() > 0 {
				t.Errorf("called after %d bytes", len(text))
			}
		}
		f("written bit by bit", 1)
	})
}
