package sqlite

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"jobgate/gateway/jobs/engine"
)

// TestOrder makes a device report while the writer executes one large set and another is queued. The report must wait for the
// first set only.
func TestOrder(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "jobs.db")).engine
	var order []string // written by the writer only
	begun, busy := make(chan struct{}), make(chan struct{})
	done := make(chan error, 3)
	set := func(name string) {
		done <- s.Update(bg, engine.Work{Rows: smallSet + 1}, func(engine.Tx) error {
			order = append(order, name)
			if name == "first set" {
				close(begun)
				<-busy
			}
			return nil
		})
	}
	go set("first set")
	<-begun
	go set("second set")
	for len(s.sets) < 1 {
		time.Sleep(time.Millisecond)
	}
	go func() {
		done <- s.Update(bg, engine.Work{Rows: smallSet}, func(engine.Tx) error { order = append(order, "report"); return nil })
	}()
	for len(s.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	close(busy)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if want := []string{"first set", "report", "second set"}; !slices.Equal(order, want) {
		t.Errorf("the order is %q, want %q", order, want)
	}
}
