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
	mu    sync.Mutex
	dirty map[string]struct{}
	told  map[string]told
	kick  chan struct{}

	missed atomic.Bool // events were missed: see catchUpAlways
}

// told is what a thing was told of its jobs without a namespace, and of those of each namespace.
type told struct {
	set, next  dispatch.Mark
	namespaces map[string]dispatch.Mark
}

func (n *notices) touch(things ...string) {
	n.mu.Lock()
	if n.dirty == nil {
		n.dirty = map[string]struct{}{}
	}
	for _, thing := range things {
		n.dirty[thing] = struct{}{}
	}
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
	return things
}

func (n *notices) before(thing string) told {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told[thing]
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
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return
		}
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
	}
}

// tell tells one thing, or marks it again if that is not possible now.
func (b *Client) tell(ctx context.Context, thing string) {
	if !b.config.Notifies() { // whoever does tells it something that is not known here
		b.notices.remember(thing, told{})
		b.notices.missed.Store(true)
		return
	}
	if err := b.tellThing(ctx, thing); err != nil && ctx.Err() == nil {
		b.config.Log.Debug("mqtt: cannot tell a device", "thing", thing, "error", err)
		time.AfterFunc(tellAgain, func() { b.notices.touch(thing) })
	}
}

// tellThing publishes what has changed for a thing since it was last told.
func (b *Client) tellThing(ctx context.Context, thing string) error {
	known := b.notices.before(thing)
	now := time.Now()
	p, err := b.dispatcher.Pending(thing, "", nil)
	if errors.Is(err, jobs.ErrNotFound) { // the thing was deleted
		b.notices.remember(thing, told{})
		return nil
	}
	if err != nil {
		return err
	}
	if p.Set != known.set {
		if err := b.notify(ctx, thing, dispatch.Notify, b.dispatcher.AppendNotify(nil, &p, now)); err != nil {
			return err
		}
		known.set = p.Set
		b.notices.remember(thing, known)
	}
	if p.Next != known.next {
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
