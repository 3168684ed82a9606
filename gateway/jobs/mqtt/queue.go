package mqtt

import (
	"sync"
	"sync/atomic"
)

// counter is an atomic counter.
type counter struct{ atomic.Int64 }

// queue holds the connections to notify, each once. Workers start on demand and end when the queue is empty. A client that
// does not read blocks one until it is disconnected, so there may be many.
type queue struct {
	work func(*conn)

	mu      sync.Mutex
	waiting []*conn // from first on
	first   int
	workers int
	ended   bool
	idle    sync.WaitGroup
}

const maxWorkers = 256

// push adds a connection.
func (q *queue) push(c *conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return
	}
	q.waiting = append(q.waiting, c)
	// One worker for every few connections: most of them take some ten microseconds.
	if q.workers < maxWorkers && q.workers*workerShare < len(q.waiting)-q.first {
		q.workers++
		q.idle.Add(1)
		go q.run()
	}
}

// workerShare is how many connections must wait before another worker starts.
const workerShare = 8

func (q *queue) run() {
	defer q.idle.Done()
	for {
		q.mu.Lock()
		if q.first == len(q.waiting) {
			q.waiting, q.first = nil, 0
			q.workers--
			q.mu.Unlock()
			return
		}
		c := q.waiting[q.first]
		q.waiting[q.first] = nil
		q.first++
		q.mu.Unlock()
		q.work(c)
	}
}

// end empties the queue and waits for the workers.
func (q *queue) end() {
	q.mu.Lock()
	q.ended, q.waiting, q.first = true, nil, 0
	q.mu.Unlock()
	q.idle.Wait()
}
