package load

import (
	"context"
	"time"

	"jobgate/gateway/jobs/mqtt/packet"
)

// keepAlive keeps an idle device's connection: by a PINGREQ within each keep alive (5
// §3.1.2.10).
type keepAlive struct {
	asked    time.Duration // in CONNECT, whole seconds; 0: none
	agreed   time.Duration // the server's value, or the requested one
	pinged   time.Duration
	timer    *time.Timer
	answered bool // the last PINGREQ
}

// agree sets the keep alive from the answer to CONNECT.
func (k *keepAlive) agree(ack *packet.Connack) {
	seconds := ack.Properties.Number(packet.ServerKeepAlive, uint32(k.asked/time.Second))
	k.agreed = time.Duration(seconds) * time.Second
}

// pingAt is when the worker's device has to send a PINGREQ, if it sends nothing before; ok is false if it never has to.
func (w *worker) pingAt() (at time.Duration, ok bool) {
	if w.device == nil || w.conn == nil || w.device.alive.agreed == 0 {
		return 0, false
	}
	k := &w.device.alive
	return max(w.free, w.conn.opened, k.pinged) + k.agreed*3/4, true
}

// next returns the dispatcher's next arrival, and false at the end. While it waits the device sends its PINGREQs.
func (w *worker) next(d *dispatcher) (a arrival, ok bool) {
	if w.device == nil || w.device.alive.agreed == 0 {
		a, ok = <-d.queue
		return a, ok
	}
	k := &w.device.alive
	if k.timer == nil {
		k.timer = time.NewTimer(0)
	}
	for {
		select {
		case a, ok = <-d.queue:
			return a, ok
		case <-k.timer.C: // the timer is not moved with each request: checking the time now and then is cheaper
			k.timer.Reset(w.pingIfDue())
		}
	}
}

// pingIfDue returns when to call it again.
func (w *worker) pingIfDue() time.Duration {
	now := w.run.clock.now()
	at, ok := w.pingAt()
	if ok && now >= at {
		w.ping(now)
		at, ok = w.pingAt()
	}
	if !ok {
		return time.Second // there is no connection until the next request
	}
	return max(at-now, time.Millisecond)
}

// pause is run.pause for a device, which sends its PINGREQs meanwhile.
func (w *worker) pause(ctx context.Context, due time.Duration) bool {
	for {
		at, ok := w.pingAt()
		if !ok || at >= due {
			return w.run.pause(ctx, due)
		}
		if !w.run.pause(ctx, at) {
			return false
		}
		w.ping(w.run.clock.now())
	}
}

// ping sends a PINGREQ and waits for the answer; it handles messages that arrive before. A connection without an answer is
// dropped: the next request opens another.
func (w *worker) ping(now time.Duration) {
	k := &w.device.alive
	k.pinged, k.answered = now, false
	err := w.conn.extend(now, w.run.plan.Timeout)
	if err == nil {
		err = w.conn.write(packet.AppendPingreq(nil))
	}
	for err == nil && !k.answered {
		var p packet.Packet
		if p, err = w.read(); err == nil {
			err = w.take(p)
		}
	}
	if err == nil {
		err = w.acknowledge()
	}
	if err != nil {
		w.drop()
	}
}
