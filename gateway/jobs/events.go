package jobs

import (
	"context"
	"sync"
	"time"
)

// EventType names what happened, after AWS's event topics (AWS.md §7).
type EventType string

// Events. Those of executions carry the thing and the execution's number.
const (
	EventJobCreated    EventType = "job.created"
	EventJobUpdated    EventType = "job.updated" // its status or its configuration
	EventJobProgress   EventType = "job.progress"
	EventJobCompleted  EventType = "job.completed"
	EventJobCanceling  EventType = "job.cancellation_in_progress"
	EventJobCanceled   EventType = "job.canceled"
	EventJobDeleting   EventType = "job.deletion_in_progress"
	EventJobDeleted    EventType = "job.deleted"
	EventExecution     EventType = "execution.updated" // Status is the new state
	EventExecutionGone EventType = "execution.deleted"
	EventThingDeleted  EventType = "thing.deleted" // has Event.Thing only
	EventMissed        EventType = "events.missed" // has Event.Missed only, see Subscription.Missed
)

// Event is one change. It is a plain value.
type Event struct {
	Type   EventType
	Time   time.Time
	JobID  string
	Job    JobStatus // the job's status then
	Counts Counts    // of the job; only in events of jobs
	Reason string    // the job's reason code

	Thing   string // only in events of executions and things
	Number  int64
	Version int64
	Status  Status
	Retry   int
	Details StatusDetails // the device's last report; only for an execution that has ended

	Missed int64 // events that this subscriber lost just before this one, because it was too slow
}

// Events publishes changes to subscribers. It never waits for one: events that do not fit in a subscriber's buffer are
// dropped and counted in the next event's Missed. It publishes this process's changes or, with a shared store, those of all
// gateways while Run follows the feed.
type Events struct {
	mu   sync.RWMutex
	subs map[*Subscription]struct{}
}

// Subscription is a subscriber's buffer.
type Subscription struct {
	events *Events
	filter func(*Event) bool
	ch     chan Event

	mu     sync.Mutex
	missed int64
}

// Subscribe starts a subscription with room for buffer events (at least 1). filter, if not nil, selects the events to
// keep; it runs on the publisher's goroutine and must be fast. Close ends it.
func (e *Events) Subscribe(buffer int, filter func(*Event) bool) *Subscription {
	s := &Subscription{events: e, filter: filter, ch: make(chan Event, max(1, buffer))}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.subs == nil {
		e.subs = make(map[*Subscription]struct{})
	}
	e.subs[s] = struct{}{}
	return s
}

// Close ends the subscription. Events in its buffer can no longer be read.
func (s *Subscription) Close() {
	s.events.mu.Lock()
	defer s.events.mu.Unlock()
	delete(s.events.subs, s)
}

// Next returns the next event, or ctx's error.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	select {
	case ev := <-s.ch:
		return ev, nil
	case <-ctx.Done():
		return Event{}, ctx.Err()
	}
}

// Missed returns, and resets, the number of dropped events that no later event has reported. It is 0 while there are events
// to read.
func (s *Subscription) Missed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ch) > 0 {
		return 0
	}
	n := s.missed
	s.missed = 0
	return n
}

// C returns the channel behind Next, for a select; it is never closed.
func (s *Subscription) C() <-chan Event { return s.ch }

// Active reports whether there are subscribers, so that a publisher can skip the work.
func (e *Events) Active() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.subs) > 0
}

// Publish sends ev to all subscribers.
func (e *Events) Publish(ev *Event) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for s := range e.subs {
		if s.filter == nil || s.filter(ev) {
			s.offer(*ev)
		}
	}
}

// Lose counts one event as missed by all subscribers, if an unknown number was lost.
func (e *Events) Lose() {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for s := range e.subs {
		s.mu.Lock()
		s.missed++
		s.mu.Unlock()
	}
}

// offer puts ev into the buffer, or counts it as missed.
func (s *Subscription) offer(ev Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ev.Missed = s.missed
	select {
	case s.ch <- ev:
		s.missed = 0
	default:
		s.missed++
	}
}
