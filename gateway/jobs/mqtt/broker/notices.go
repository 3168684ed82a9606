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

// notices are the things that are to be told something, and what they were told last. A thing for which nothing is
// pending, and that knows it, is not kept.
type notices struct {
	mu      sync.Mutex
	dirty   map[string]struct{}
	told    map[string]told
	unknown map[string]struct{} // those that may know something else than told says: they are told in any case
	kick    chan struct{}

	// learning: another gateway may have told things what is not known here. Those that change meanwhile are unknown.
	learning bool
	marked   uint64 // how often things were marked
	// Things are told in rounds. A round was begun, it has ended; and how many things could not be told, and how many of
	// them wait to be marked again.
	begun, ended, failed uint64
	waiting              int

	missed atomic.Bool // events were missed: see catchUpAlways
}

// told is what a thing was told of its jobs without a namespace, and of those of each namespace.
type told struct {
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

// mark marks things; unknown ones are told whatever they were told before.
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

// touchAll marks every thing for which something is pending.
func (n *notices) touchAll() {
	n.mu.Lock()
	things := slices.Collect(maps.Keys(n.told))
	n.mu.Unlock()
	n.touch(things...)
}

func (n *notices) wake() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

// take returns the things to be told, and forgets that they are.
func (n *notices) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	things := slices.Collect(maps.Keys(n.dirty))
	n.dirty = nil
	n.begun++
	return things
}

// end ends the round that the last take has begun.
func (n *notices) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = n.begun
}

func (n *notices) before(thing string) (t told, unknown bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, unknown = n.unknown[thing]
	return n.told[thing], unknown
}

// knows says that what a thing knows is what told says.
func (n *notices) knows(thing string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.unknown, thing)
}

// again marks a thing again that could not be told, after a while.
func (n *notices) again(thing string) {
	n.mu.Lock()
	n.failed++
	n.waiting++
	n.mu.Unlock()
	time.AfterFunc(tellAgain, func() {
		n.touch(thing)
		n.mu.Lock()
		n.waiting--
		n.mu.Unlock()
	})
}

func (n *notices) remember(thing string, t told) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.set == 0 && t.next == 0 && len(t.namespaces) == 0 {
		delete(n.told, thing)
		return
	}
	if n.told == nil {
		n.told = map[string]told{}
	}
	n.told[thing] = t
}

// followBuffer is how many changes may wait to be looked at.
const followBuffer = 16384

// follow tells devices of changes, until ctx ends.
func (b *Client) follow(ctx context.Context) {
	events := b.config.Service.Events().Subscribe(followBuffer, nil)
	defer events.Close()
	b.running.Go(func() { b.tellAll(ctx) })
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

// tellers is how many things are told at once; tellAgain how long one waits that could not be.
const (
	tellers   = 16
	tellAgain = 2 * time.Second
)

// tellAll tells the things that are marked, until ctx ends. A thing is told by one teller at a time, so in order.
func (b *Client) tellAll(ctx context.Context) {
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
		for range tellers {
			telling.Go(func() {
				for thing := range things {
					b.tell(ctx, thing)
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

// tell tells one thing, or marks it again if that is not possible now.
func (b *Client) tell(ctx context.Context, thing string) {
	if !b.config.Notifies() { // whoever does tells it something that is not known here
		b.notices.remember(thing, told{})
		b.notices.dropped(thing)
		return
	}
	switch err := b.tellThing(ctx, thing); {
	case err == nil:
		b.notices.knows(thing)
	case ctx.Err() == nil:
		b.config.Log.Debug("mqtt: cannot notify a device", "thing", thing, "error", err)
		b.notices.again(thing)
	}
}

// dropped says that a thing was not told, because another gateway does.
func (n *notices) dropped(thing string) {
	n.missed.Store(true)
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.unknown, thing)
	n.failed++
}

// tellThing publishes what has changed for a thing since it was last told.
func (b *Client) tellThing(ctx context.Context, thing string) error {
	known, unknown := b.notices.before(thing)
	now := time.Now()
	p, err := b.dispatcher.Pending(thing, "", nil)
	if errors.Is(err, jobs.ErrNotFound) { // the thing was deleted
		b.notices.remember(thing, told{})
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
	return b.tellNamespaces(ctx, thing, known, now)
}

func (b *Client) notify(ctx context.Context, thing, topic string, payload []byte) error {
	return b.publish(ctx, string(dispatch.AppendTopic(nil, b.config.Prefix, thing, topic)), 1, payload)
}

// tellNamespaces publishes what has changed in the namespaces of a thing's jobs.
func (b *Client) tellNamespaces(ctx context.Context, thing string, known told, now time.Time) error {
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
