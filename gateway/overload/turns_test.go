package overload

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newTestTurns returns turns of one processor.
func newTestTurns(t *testing.T) *turns {
	t.Helper()
	all, err := newTurns()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(all.close)
	all.processors = 1
	return all
}

// await waits until n wait for their turn.
func (t *turns) await(n int) {
	for {
		t.mu.Lock()
		now := t.n
		t.mu.Unlock()
		if now == n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// TestTurns: one works, as many wait as there is room for, and the others hear at once that there is none.
func TestTurns(t *testing.T) {
	all := newTestTurns(t)
	if !all.take() {
		t.Fatal("the first has no turn")
	}
	room := all.room()
	if want := int(longest / unmeasured); room != want {
		t.Fatalf("%d may wait, want %d", room, want)
	}
	var waited sync.WaitGroup
	var worked atomic.Int64
	for range room {
		waited.Go(func() {
			if !all.take() {
				t.Error("one that there is room for has no turn")
				return
			}
			worked.Add(1)
			all.give()
		})
	}
	all.await(room)
	for range 3 {
		if all.take() {
			t.Fatal("one more than there is room for has a turn")
		}
	}
	if n := all.turnedAway(); n != 3 {
		t.Errorf("%d were turned away, want 3", n)
	}
	if n := all.turnedAway(); n != 0 {
		t.Errorf("%d were turned away since, want none", n)
	}
	if worked.Load() > 0 {
		t.Fatal("one works while the processor is busy")
	}
	all.give()
	waited.Wait()
	if n := worked.Load(); n != int64(room) {
		t.Errorf("%d of %d have worked", n, room)
	}
	if !all.take() {
		t.Error("there is no turn although nobody works")
	}
	all.give()
}

// TestTurnsClose: whoever waits is let in at the end, and everybody after it.
func TestTurnsClose(t *testing.T) {
	all := newTestTurns(t)
	all.take()
	var waited sync.WaitGroup
	for range 10 {
		waited.Go(func() {
			if !all.take() {
				t.Error("one that waited has no turn")
			}
			all.give()
		})
	}
	all.await(10)
	all.close()
	waited.Wait()
	for range 100 {
		if !all.take() {
			t.Fatal("one has no turn after the end")
		}
	}
}

// TestTurnsOrder: whoever came first is let in first.
func TestTurnsOrder(t *testing.T) {
	all := &turns{processors: 1, each: pause}
	var came []*turn
	for range 1000 {
		for range 1 + len(came)%3 {
			came = append(came, &turn{comes: make(chan struct{}, 1)})
			all.push(came[len(came)-1])
		}
		all.admit(time.Time{})
		all.running = 0
		if len(came[0].comes) != 1 {
			t.Fatal("another was let in before the first")
		}
		came = came[1:]
	}
}

// TestTurnsRoom: the room follows what the work takes, and so does how many work at once.
func TestTurnsRoom(t *testing.T) {
	f := func(each time.Duration, room, batch int) {
		t.Helper()
		all := &turns{processors: 2, each: unmeasured}
		now := time.Unix(0, 0)
		for range 100 {
			for all.n < all.room() {
				all.push(&turn{comes: make(chan struct{}, 1)})
			}
			all.running = 0
			all.admit(now)
			now = now.Add(each * time.Duration(all.batch))
		}
		if got := all.room(); got < room*9/10 || got > room*11/10 {
			t.Errorf("at %v each, %d may wait, want %d", each, got, room)
		}
		if all.batch < batch*9/10 || all.batch > batch {
			t.Errorf("at %v each, %d work at once, want %d", each, all.batch, batch)
		}
	}
	f(240*time.Microsecond, 104, 4)
	f(20*time.Microsecond, 1250, 50)
	f(5*time.Millisecond, 5, 2)
	f(time.Second, 4, 2) // as many as keep the processors busy
}

// TestTurnsUnderLoad: none is lost, and no more work at once than may.
func TestTurnsUnderLoad(t *testing.T) {
	all := newTestTurns(t)
	var working, most, done, refused atomic.Int64
	var everybody sync.WaitGroup
	for range 64 {
		everybody.Go(func() {
			for range 200 {
				if !all.take() {
					refused.Add(1)
					continue
				}
				n := working.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				working.Add(-1)
				done.Add(1)
				all.give()
			}
		})
	}
	everybody.Wait()
	if n := done.Load() + refused.Load(); n != 64*200 {
		t.Errorf("%d came back of %d", n, 64*200)
	}
	if n := all.turnedAway(); n != refused.Load() {
		t.Errorf("%d were turned away and %d counted", refused.Load(), n)
	}
	if all.running != 0 || all.n != 0 {
		t.Errorf("at the end %d work and %d wait", all.running, all.n)
	}
}

// TestTurnsAllocateNothing: a turn costs no memory.
func TestTurnsAllocateNothing(t *testing.T) {
	all := newTestTurns(t)
	if n := testing.AllocsPerRun(100, func() {
		all.take()
		all.give()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
