package overload

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newTestTurns returns turns for one processor.
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

// await waits until n requests wait for their turn.
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

// TestTurns checks that one request works, the queue fills up to its limit, and further requests are rejected at once.
func TestTurns(t *testing.T) {
	all := newTestTurns(t)
	if _, ok := all.take(); !ok {
		t.Fatal("the first request got no turn")
	}
	room := all.room()
	if want := min(smallCrowd, int(crowdWait/initialEstimate)); room != want {
		t.Fatalf("the queue has room for %d, want %d", room, want)
	}
	var waited sync.WaitGroup
	var worked atomic.Int64
	for range room {
		waited.Go(func() {
			if _, ok := all.take(); !ok {
				t.Error("a request got no turn although the queue had room")
				return
			}
			worked.Add(1)
			all.give(time.Now())
		})
	}
	all.await(room)
	for range 3 {
		if _, ok := all.take(); ok {
			t.Fatal("a request got a turn although the queue was full")
		}
	}
	if n := all.takeRefused(); n != 3 {
		t.Errorf("%d were rejected, want 3", n)
	}
	if n := all.takeRefused(); n != 0 {
		t.Errorf("%d were rejected since the last call, want 0", n)
	}
	if worked.Load() > 0 {
		t.Fatal("a second request works while the processor is busy")
	}
	all.give(time.Now())
	waited.Wait()
	if n := worked.Load(); n != int64(room) {
		t.Errorf("%d of %d have worked", n, room)
	}
	if _, ok := all.take(); !ok {
		t.Error("a request got no turn although none works")
	}
	all.give(time.Now())
}

// TestTurnsClose checks that close admits all waiting requests, and all later ones are admitted.
func TestTurnsClose(t *testing.T) {
	all := newTestTurns(t)
	all.take()
	var waited sync.WaitGroup
	for range 10 {
		waited.Go(func() {
			if _, ok := all.take(); !ok {
				t.Error("a waiting request got no turn")
			}
			all.give(time.Now())
		})
	}
	all.await(10)
	all.close()
	waited.Wait()
	for range 100 {
		if _, ok := all.take(); !ok {
			t.Fatal("a request got no turn after close")
		}
	}
}

// TestTurnsOrder checks that requests are admitted in the order of arrival.
func TestTurnsOrder(t *testing.T) {
	all := &turns{processors: 1, each: pause}
	var waiting []*turn
	for range 1000 {
		for range 1 + len(waiting)%3 {
			waiting = append(waiting, &turn{ready: make(chan struct{}, 1)})
			all.push(waiting[len(waiting)-1])
		}
		all.admit()
		all.running = 0
		if len(waiting[0].ready) != 1 {
			t.Fatal("a later request was admitted before the first")
		}
		waiting = waiting[1:]
	}
}

// TestTurnsRoom checks that the queue's limit and the batch size follow the time that a request takes.
func TestTurnsRoom(t *testing.T) {
	f := func(each time.Duration, room, batch int) {
		t.Helper()
		all := &turns{processors: 2, each: initialEstimate}
		for i := range 200 {
			worked := each
			if i == 100 {
				worked = time.Minute // the process was stopped meanwhile
			}
			all.learn(worked)
		}
		for range room {
			all.push(&turn{ready: make(chan struct{}, 1)})
		}
		all.admit()
		if got := all.room(); got < room*9/10 || got > room*11/10 {
			t.Errorf("at %v each, the queue has room for %d, want %d", each, got, room)
		}
		if got := all.running; got < batch*9/10 || got > batch {
			t.Errorf("at %v each, a batch has %d, want %d", each, got, batch)
		}
	}
	f(240*time.Microsecond, 100, 8)
	f(20*time.Microsecond, 1200, 100)
	f(800*time.Microsecond, 64, 2) // a small crowd
	f(5*time.Millisecond, 18, 2)
	f(time.Second, 4, 2) // enough to keep the processors busy
}

// TestTurnsUnderLoad checks that every request is either served or rejected, and counted.
func TestTurnsUnderLoad(t *testing.T) {
	all := newTestTurns(t)
	var done, refused atomic.Int64
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			for range 200 {
				if _, ok := all.take(); !ok {
					refused.Add(1)
					continue
				}
				done.Add(1)
				all.give(time.Now())
			}
		})
	}
	clients.Wait()
	if n := done.Load() + refused.Load(); n != 64*200 {
		t.Errorf("%d of %d requests were served or rejected", n, 64*200)
	}
	if n := all.takeRefused(); n != refused.Load() {
		t.Errorf("%d were rejected but %d counted", refused.Load(), n)
	}
	if all.running != 0 || all.n != 0 {
		t.Errorf("at the end %d work and %d wait, want none", all.running, all.n)
	}
}

// TestTurnsAllocateNothing checks that a turn allocates nothing.
func TestTurnsAllocateNothing(t *testing.T) {
	all := newTestTurns(t)
	if n := testing.AllocsPerRun(100, func() {
		all.take()
		all.give(time.Now())
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
