package overload

import (
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// longest is how long a request may have to wait for its turn. One that would have to wait longer is turned away.
	longest = 25 * time.Millisecond

	// pause is the work that is begun at once, between two looks at the sockets.
	pause = time.Millisecond

	// unmeasured is what the work of one request is taken for at first, and smooth the part that a measurement is of
	// what it is taken for from then on.
	unmeasured = time.Millisecond
	smooth     = 8
)

// turns lets requests work a few at a time, and whoever is to be turned away before them. Where each goes to work as it
// comes, those that are turned away wait behind the others' work, in the scheduler's queue and, until that is empty, in
// their sockets: Go looks at those when it has nothing else to run.
//
//	take ─▶ queue, as long as what can be done within longest ─▶ a few at a time ─▶ work ─▶ give
//	  └─ full: turned away                   ▲                                              │
//	                                         └── pipe: after all that came meanwhile ◀──────┘
//
// The pipe is for Go a socket like the clients': what is written to it is seen when it looks at those. So a request has
// no turn before the next look, not even while nobody works: with one processor, it is never taken while another works.
type turns struct {
	processors       int
	sockets, signals *os.File // the pipe's ends

	mu       sync.Mutex
	waiting  []*turn // a ring
	head, n  int
	running  int
	signaled bool // somebody was told to let the next in
	closed   bool
	refused  int64 // since it was last asked

	each    time.Duration // that passes for each request, while some wait
	begun   time.Time     // when some were last let in
	batch   int           // how many they were
	crowded bool          // some still waited then
}

// turn is one that waits.
type turn struct{ comes chan struct{} }

var (
	pool   = sync.Pool{New: func() any { return &turn{comes: make(chan struct{}, 1)} }}
	signal = []byte{0}
)

// newTurns returns turns that end with close.
func newTurns() (*turns, error) {
	t := &turns{processors: runtime.GOMAXPROCS(0), each: unmeasured}
	var err error
	if t.sockets, t.signals, err = os.Pipe(); err != nil {
		return nil, err
	}
	go t.run()
	return t, nil
}

// take waits for a turn and reports whether there is one. If so, give is to be called when the work is done.
func (t *turns) take() bool {
	t.mu.Lock()
	switch {
	case t.closed:
		t.running++
		t.mu.Unlock()
		return true
	case t.n >= t.room():
		t.refused++
		t.mu.Unlock()
		return false
	}
	own := pool.Get().(*turn)
	t.push(own)
	t.next()
	<-own.comes
	pool.Put(own)
	return true
}

// give ends a turn.
func (t *turns) give() {
	t.mu.Lock()
	t.running--
	t.next()
}

// next lets others in if there is room. It unlocks mu.
func (t *turns) next() {
	due := t.n > 0 && t.running < t.processors && !t.signaled && !t.closed
	t.signaled = t.signaled || due
	t.mu.Unlock()
	if due {
		_, _ = t.signals.Write(signal) // fails when it is closed
	}
}

// room returns how many may wait.
func (t *turns) room() int { return max(2*t.processors, int(longest/t.each)) }

// run lets requests in until close.
func (t *turns) run() {
	defer func() { _ = t.sockets.Close() }()
	var signaled [8]byte
	for {
		if _, err := t.sockets.Read(signaled[:]); err != nil {
			return
		}
		t.mu.Lock()
		t.admit(time.Now())
		t.mu.Unlock()
	}
}

// admit lets in as many as pause is enough for. mu is held.
func (t *turns) admit(now time.Time) {
	t.signaled = false
	if t.crowded && t.batch > 0 {
		t.each = max(time.Microsecond, t.each+(now.Sub(t.begun)/time.Duration(t.batch)-t.each)/smooth)
	}
	t.begun, t.batch = now, 0
	for most := max(t.processors, int(pause/t.each)); t.n > 0 && t.running < most; t.batch++ {
		t.running++
		t.pop().comes <- struct{}{}
	}
	t.crowded = t.n > 0
}

// close lets all in, now and from then on.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for t.n > 0 {
		t.running++
		t.pop().comes <- struct{}{}
	}
	_ = t.signals.Close()
}

// turnedAway returns how many were, since it was last called.
func (t *turns) turnedAway() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.refused
	t.refused = 0
	return n
}

func (t *turns) push(w *turn) {
	if t.n == len(t.waiting) {
		grown := make([]*turn, max(64, 2*t.n))
		for i := range t.n {
			grown[i] = t.waiting[(t.head+i)%t.n]
		}
		t.waiting, t.head = grown, 0
	}
	t.waiting[(t.head+t.n)%len(t.waiting)] = w
	t.n++
}

func (t *turns) pop() *turn {
	w := t.waiting[t.head]
	t.waiting[t.head] = nil
	t.head = (t.head + 1) % len(t.waiting)
	t.n--
	return w
}
