package mqtt

import (
	"bytes"
	"sync"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/jobs/mqtt/packet"
)

// session is the state of one client id of one device. mu guards the fields after it; it is held briefly, and never during
// calls of the service or writes.
type session struct {
	thing    string
	clientID string

	mu      sync.Mutex
	conn    *conn  // nil: the device is disconnected
	expiry  uint32 // how long the session outlives its connection, in seconds
	ends    int64  // Unix seconds, while the device is disconnected
	subs    []subscription
	notices []notice
}

// subscription is a filter, without the part up to the thing's name: "jobs/notify-next".
type subscription struct {
	filter []byte // immutable
	qos    uint8
}

// notice is the state of one kind of notice to the device.
type notice struct {
	next      bool // notify-next; else notify, or notify-namespace-N
	namespace string
	qos       uint8
	fresh     bool          // the executions pending at the subscription are not known yet
	again     bool          // the last one may not have arrived: send the next even if unchanged
	known     dispatch.Mark // content of the last notice that arrived
	sent      dispatch.Mark // content of the notice in flight
	id        uint16        // of the message in flight; 0: none
}

// topic is the notice's last level.
func (n *notice) topic() string {
	switch {
	case n.next:
		return dispatch.NotifyNext
	case n.namespace != "":
		return dispatch.NotifyNamespace + n.namespace
	}
	return dispatch.Notify
}

// filters are the common subscriptions, shared by all sessions.
var filters = func() map[string][]byte {
	m := map[string][]byte{}
	for _, f := range []string{
		"notify", "notify-next", "#", "+", "get/+", "start-next/+", "get/accepted", "get/rejected", "start-next/accepted", "start-next/rejected",
		"$next/get/accepted", "$next/get/rejected", "$next/get/+", "+/get/+", "+/update/+", "+/get/accepted", "+/get/rejected", "+/update/accepted", "+/update/rejected",
		"$next/namespace-aws-gg-deployment/get/accepted", "$next/namespace-aws-gg-deployment/get/rejected", "notify-namespace-aws-gg-deployment",
	} {
		m["jobs/"+f] = []byte("jobs/" + f)
	}
	return m
}()

// kept returns a copy of a filter, shared for the common ones.
func kept(filter []byte) []byte {
	if shared, ok := filters[string(filter)]; ok {
		return shared
	}
	return bytes.Clone(filter)
}

// subscribe adds or replaces a subscription; false at the limit. s.mu is held.
func (s *session) subscribe(filter []byte, qos uint8) bool {
	for i := range s.subs {
		if bytes.Equal(s.subs[i].filter, filter) {
			s.subs[i].qos = qos
			return true
		}
	}
	if len(s.subs) == maxSubscriptions {
		return false
	}
	s.subs = append(s.subs, subscription{kept(filter), qos})
	return true
}

// unsubscribe removes a subscription; false if there is none. s.mu is held.
func (s *session) unsubscribe(filter []byte) bool {
	for i := range s.subs {
		if bytes.Equal(s.subs[i].filter, filter) {
			s.subs = append(s.subs[:i], s.subs[i+1:]...)
			return true
		}
	}
	return false
}

// granted returns the highest QoS of the subscriptions that match rest, the part of a topic after the thing's name. s.mu is
// held.
func (s *session) granted(rest []byte) (qos uint8, subscribed bool) {
	for i := range s.subs {
		if packet.Match(s.subs[i].filter, rest) {
			qos, subscribed = max(qos, s.subs[i].qos), true
		}
	}
	return qos, subscribed
}

// settle sets the notices to those that are subscribed to. New ones are fresh; it returns whether there is one. s.mu is
// held.
func (s *session) settle() (fresh bool) {
	var wanted []notice
	add := func(n notice) {
		qos, subscribed := s.granted([]byte("jobs/" + n.topic()))
		if !subscribed {
			return
		}
		n.qos = qos
		for i := range s.notices {
			if known := &s.notices[i]; known.next == n.next && known.namespace == n.namespace {
				n.fresh, n.again, n.known, n.sent, n.id = known.fresh, known.again, known.known, known.sent, known.id
				wanted = append(wanted, n)
				return
			}
		}
		n.fresh, fresh = true, true
		wanted = append(wanted, n)
	}
	add(notice{})
	add(notice{next: true})
	for i := range s.subs {
		namespace, ok := bytes.CutPrefix(s.subs[i].filter, []byte("jobs/"+dispatch.NotifyNamespace))
		if ok && len(namespace) > 0 && !bytes.ContainsAny(namespace, "+#/") {
			add(notice{namespace: string(namespace)})
		}
	}
	s.notices = wanted
	return fresh
}
