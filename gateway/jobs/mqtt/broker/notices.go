package broker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/mqtt/dispatch"
)

// notices holds the things to notify, and what they were last notified of. A thing that was notified that nothing is
// pending has no entry.
type notices struct {
	mu       sync.Mutex
	dirty    map[string]struct{}
	notified map[string]notified
	unknown  map[string]struct{} // things whose entry in notified may be wrong: they are notified in any case
	kick     chan struct{}

	// learning: another gateway may have notified things. Those that change in the meantime are unknown.
	learning bool
	marked   uint64 // number of marks so far
	// Things are notified in rounds: rounds begun and ended, failed things, and how many of these wait to be marked
	// again.
	begun, ended, failed uint64
	waiting              int

	missed atomic.Bool // events were missed: see catchUpAlways
}

// notified is what a thing was notified of: jobs without a namespace, and those of each namespace.
type notified struct {
	set, next  dispatch.Mark
	namespaces map[string]dispatch.Mark
}

// touch marks things that may have changed.
func (n *notices) touch(things ...string) {
	n.mu.Lock()
	learning := n.learning
	n.mu.Unlock()
	n.mark(learning, things...)
}

// mark marks things; with unknown, they are notified in any case.
func (n *notices) mark(unknown bool, things ...string) {
	n.mu.Lock()
	if n.dirty == nil {
		n.dirty = map[string]struct{}{}
	}
	if unknown && n.unknown == nil {
		n.unknown = map[string]struct{}{}
	}
	for _, thing := range things {
		n.dirty[thing] = struct{}{}
		if unknown {
			n.unknown[thing] = struct{}{}
		}
	}
	n.marked++
	n.mu.Unlock()
	n.wake()
}

// touchAll marks every thing with pending executions.
func (n *notices) touchAll() {
	n.mu.Lock()
	things := slices.Collect(maps.Keys(n.notified))
	n.mu.Unlock()
	n.touch(things...)
}

func (n *notices) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// take returns the marked things and clears the marks.
func (n *notices) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	things := slices.Collect(maps.Keys(n.dirty))
	n.dirty = nil
	n.begun++
	return things
}

// end ends the round of the last take.
func (n *notices) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = n.begun
}

func (n *notices) before(thing string) (t notified, unknown bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, unknown = n.unknown[thing]
	return n.notified[thing], unknown
}

// setKnown records that a thing's entry in notified is right.
func (n *notices) setKnown(thing string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.unknown, thing)
}

// again marks a thing again after a pause, because notifying it failed.
func (n *notices) again(thing string) {
	n.mu.Lock()
	n.failed++
	n.waiting++
	n.mu.Unlock()
	time.AfterFunc(notifyAgain, func() {
		n.touch(thing)
		n.mu.Lock()
		n.waiting--
		n.mu.Unlock()
	})
}

func (n *notices) remember(thing string, t notified) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.set == 0 && t.next == 0 && len(t.namespaces) == 0 {
		delete(n.notified, thing)
		return
	}
	if n.notified == nil {
		n.notified = map[string]notified{}
	}
	n.notified[thing] = t
}

// followBuffer bounds the changes waiting to be handled.
const followBuffer = 16384

// follow notifies devices of changes, until ctx ends.
func (b *Client) follow(ctx context.Context) {
	events := b.config.Service.Events().Subscribe(followBuffer, nil)
	defer events.Close()
	b.running.Go(func() { b.notifyAll(ctx) })
	b.running.Go(func() { b.catchUpAlways(ctx) })
	b.running.Go(func() { b.keepPlaceAlways(ctx) })
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events.C():
			b.changed(&e)
		case reached := <-b.reach:
			for n := len(events.C()); n > 0; n-- {
				e := <-events.C()
				b.changed(&e)
			}
			if events.Missed() > 0 {
				b.notices.missed.Store(true)
			}
			close(reached)
		}
	}
}

// changed marks the things that an event touches.
func (b *Client) changed(e *jobs.Event) {
	if e.Missed > 0 {
		b.notices.missed.Store(true)
	}
	switch e.Type {
	case jobs.EventExecution, jobs.EventExecutionGone, jobs.EventThingDeleted:
		b.notices.touch(e.Thing)
	case jobs.EventJobUpdated, jobs.EventJobCanceling, jobs.EventJobCanceled, jobs.EventJobDeleting, jobs.EventJobDeleted:
		b.notices.touchAll()
	}
}

// notifiers is how many things are notified at once; notifyAgain is the pause after a failure.
const (
	notifiers   = 16
	notifyAgain = 2 * time.Second
)

// notifyAll notifies marked things, until ctx ends. One notifier at a time handles a thing, so its notices are in order.
func (b *Client) notifyAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.notices.kick:
		}
		if b.manager.AwaitConnection(ctx) != nil {
			return
		}
		things := make(chan string)
		var telling sync.WaitGroup
		for range notifiers {
			telling.Go(func() {
				for thing := range things {
					b.notifyMarked(ctx, thing)
				}
			})
		}
		for _, thing := range b.notices.take() {
			things <- thing
		}
		close(things)
		telling.Wait()
		b.notices.end()
	}
}

// notifyMarked notifies one thing, or marks it again on failure.
func (b *Client) notifyMarked(ctx context.Context, thing string) {
	if !b.config.Notifies() { // another gateway notifies it, so its state is not known here
		b.notices.remember(thing, notified{})
		b.notices.dropped(thing)
		return
	}
	switch err := b.notifyThing(ctx, thing); {
	case err == nil:
		b.notices.setKnown(thing)
	case ctx.Err() == nil:
		b.config.Log.Debug("mqtt: cannot notify a device", "thing", thing, "error", err)
		b.notices.again(thing)
	}
}

// dropped records that a thing was not notified, because another gateway does that.
func (n *notices) dropped(thing string) {
	n.missed.Store(true)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.unknown, thing)
	n.failed++
}

// notifyThing publishes what has changed for a thing since its last notice.
func (b *Client) notifyThing(ctx context.Context, thing string) error {
	known, unknown := b.notices.before(thing)
	now := time.Now()
	p, err := b.dispatcher.Pending(thing, "", nil)
	if errors.Is(err, jobs.ErrNotFound) { // the thing was deleted
		b.notices.remember(thing, notified{})
		return nil
	}
	if err != nil {
		return err
	}
	if unknown || p.Set != known.set {
		if err := b.notify(ctx, thing, dispatch.Notify, b.dispatcher.AppendNotify(nil, &p, now)); err != nil {
			return err
		}
		known.set = p.Set
		b.notices.remember(thing, known)
	}
	if unknown || p.Next != known.next {
		payload, mark, err := b.dispatcher.AppendNext(nil, thing, now, 0)
		if err == nil {
			err = b.notify(ctx, thing, dispatch.NotifyNext, payload)
		}
		if err != nil {
			return err
		}
		known.next = mark
		b.notices.remember(thing, known)
	}
	return b.notifyNamespaces(ctx, thing, known, now)
}

func (b *Client) notify(ctx context.Context, thing, topic string, payload []byte) error {
	return b.publish(ctx, string(dispatch.AppendTopic(nil, b.config.Prefix, thing, topic)), 1, payload)
}

// notifyNamespaces publishes what has changed in the namespaces of a thing's jobs.
func (b *Client) notifyNamespaces(ctx context.Context, thing string, known notified, now time.Time) error {
	pending, err := b.dispatcher.Namespaces(thing)
	if err != nil {
		return err
	}
	for namespace := range known.namespaces {
		if !slices.Contains(pending, namespace) {
			pending = append(pending, namespace)
		}
	}
	for _, namespace := range pending {
		p, err := b.dispatcher.Pending(thing, namespace, nil)
		if err != nil {
			return err
		}
		if p.Set == known.namespaces[namespace] {
			continue
		}
		if err := b.notify(ctx, thing, dispatch.NotifyNamespace+namespace, b.dispatcher.AppendNotify(nil, &p, now)); err != nil {
			return err
		}
		left := maps.Clone(known.namespaces)
		if p.Set == 0 {
			delete(left, namespace)
		} else {
			if left == nil {
				left = map[string]dispatch.Mark{}
			}
			left[namespace] = p.Set
		}
		known.namespaces = left
		b.notices.remember(thing, known)
	}
	return nil
}
