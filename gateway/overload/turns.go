package overload

import (
	"os"
	"runtime"
	"sync"
	"time"
)

const (
	// maxWait is the longest work of requests that wait for each processor; waiting for it takes up to twice as long, as the
	// processors also reject requests. A request that would have to wait for more is rejected. A small crowd may wait for
	// crowdWait: it is no overload, and comes about whenever other processes take the processors for a while.
	maxWait    = 12 * time.Millisecond
	crowdWait  = 4 * maxWait
	smallCrowd = crowd / 2

	// pause is the work that each processor gets between two polls of the sockets.
	pause = time.Millisecond

	// initialEstimate is the initial estimate of one request's work. A new measurement has the weight 1/smoothing in the
	// estimate.
	initialEstimate = time.Millisecond
	smoothing       = 8
)

// turns lets a few requests work at a time, so that rejections come first. If every request started work on arrival, those
// to be rejected would wait behind that work: in the scheduler's queue or, until that is empty, in their sockets, which Go
// polls when it has nothing else to run.
//
//	take ─▶ queue, limited to what is served within maxWait ───▶ a few at a time ─▶ work ─▶ give
//	  └─ full: rejected                      ▲                                              │
//	                                         └── pipe: after newly arrived requests ◀───────┘
//
// Go polls the pipe together with the clients' sockets. So a request gets no turn before the next poll, even if no other is
// working: with one processor, no two requests ever work at the same time.
type turns struct {
	processors       int
	sockets, signals *os.File // the pipe's ends

	mu       sync.Mutex
	waiting  []*turn // a ring
	head, n  int
	running  int
	signaled bool // a signal is in the pipe
	closed   bool
	refused  int64 // since the last call of takeRefused

	each time.Duration // estimated work of a request
}

// turn is a waiting request.
type turn struct{ ready chan struct{} }

var (
	pool   = sync.Pool{New: func() any { return &turn{ready: make(chan struct{}, 1)} }}
	signal = []byte{0}
)

// newTurns returns turns. Close them.
func newTurns() (*turns, error) {
	t := &turns{processors: runtime.GOMAXPROCS(0), each: initialEstimate}
	var err error
	if t.sockets, t.signals, err = os.Pipe(); err != nil {
		return nil, err
	}
	go t.run()
	return t, nil
}

// take waits for a turn and reports whether the request got one. If so, call give after the work.
// It returns when the turn began.
func (t *turns) take() (began time.Time, ok bool) {
	t.mu.Lock()
	switch {
	case t.closed:
		t.running++
		t.mu.Unlock()
		return time.Now(), true
	case t.n >= t.room():
		t.refused++
		t.mu.Unlock()
		return time.Time{}, false
	}
	own := pool.Get().(*turn)
	t.push(own)
	t.next()
	<-own.ready
	pool.Put(own)
	return time.Now(), true
}

// give ends a turn.
func (t *turns) give(began time.Time) {
	worked := time.Since(began)
	t.mu.Lock()
	t.learn(worked)
	t.running--
	t.next()
}

// learn adds one request's work to the estimate. A request that another process interrupts seems to work for long, so it
// counts as twice the estimate at most. mu is held.
func (t *turns) learn(worked time.Duration) {
	t.each = max(time.Microsecond, t.each+(min(worked, 2*t.each)-t.each)/smoothing)
}

// next signals that more requests may work, if processors are free. It unlocks mu.
func (t *turns) next() {
	due := t.n > 0 && t.running < t.processors && !t.signaled && !t.closed
	t.signaled = t.signaled || due
	t.mu.Unlock()
	if due {
		_, _ = t.signals.Write(signal) // fails only after close
	}
}

// room returns the largest number of waiting requests.
func (t *turns) room() int {
	served := func(in time.Duration) int { return t.processors * int(in/t.each) }
	return max(2*t.processors, served(maxWait), min(smallCrowd, served(crowdWait)))
}

// run admits requests until close.
func (t *turns) run() {
	defer func() { _ = t.sockets.Close() }()
	var signaled [8]byte
	for {
		if _, err := t.sockets.Read(signaled[:]); err != nil {
			return
		}
		t.mu.Lock()
		t.admit()
		t.mu.Unlock()
	}
}

// admit admits as many requests as fit in pause. mu is held.
func (t *turns) admit() {
	t.signaled = false
	for most := t.processors * max(1, int(pause/t.each)); t.n > 0 && t.running < most; t.running++ {
		t.pop().ready <- struct{}{}
	}
}

// close admits all waiting and future requests.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for t.n > 0 {
		t.running++
		t.pop().ready <- struct{}{}
	}
	_ = t.signals.Close()
}

// takeRefused returns the number of requests rejected since the last call.
func (t *turns) takeRefused() int64 {
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
