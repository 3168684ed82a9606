package mqtt

import (
	"slices"
	"sync"
	"time"
)

// registry keeps the sessions, by thing. It is safe for concurrent use.
type registry struct {
	shards  [64]shard
	offline counter // sessions whose device is disconnected
}

// shard is a part of the registry with its own lock, which is taken before a session's.
type shard struct {
	mu     sync.Mutex
	things map[string][]*session
}

func (r *registry) shard(thing string) *shard {
	h := uint32(2166136261) // FNV-1a
	for i := range len(thing) {
		h = (h ^ uint32(thing[i])) * 16777619
	}
	return &r.shards[h%uint32(len(r.shards))]
}

// attach attaches a client id's session to c. The old one is resumed if there is one and clean is false, unless it ends with
// its connection, which c takes over. It returns the previous connection, and false if the thing has too many sessions.
func (r *registry) attach(c *conn, thing, clientID string, clean bool, expiry uint32, now time.Time) (resumed bool, before *conn, ok bool) {
	sh := r.shard(thing)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.things == nil {
		sh.things = map[string][]*session{}
	}
	list := r.expire(sh.things[thing], now)
	s := &session{thing: thing, clientID: clientID}
	at := -1
	for i, known := range list {
		if known.clientID == clientID {
			at = i
		}
	}
	switch {
	case at >= 0:
		known := list[at]
		known.mu.Lock()
		if before = known.conn; before == nil {
			r.offline.Add(-1)
		}
		if clean || known.expiry == 0 { // 3.1.1 [MQTT-3.1.2-6], 5 §3.1.4
			known.conn = nil
			list[at] = s
		} else {
			s, resumed = known, true
		}
		known.mu.Unlock()
	case len(list) == maxSessions:
		if list = r.evict(list); len(list) == maxSessions {
			sh.things[thing] = list
			return false, nil, false
		}
		list = append(list, s)
	default:
		list = append(list, s)
	}
	sh.things[thing] = list
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.expiry = c, expiry
	for i := range s.notices { // notices in flight, and those with QoS 0, may or may not have arrived
		n := &s.notices[i]
		n.again = n.again || n.id != 0 || n.qos == 0
		n.id, n.sent = 0, 0
	}
	c.session = s
	c.held.Store(s)
	return resumed, before, true
}

// detach releases c's session, which is kept until it expires if there is room.
func (r *registry) detach(c *conn, now time.Time) {
	s := c.held.Load()
	sh := r.shard(s.thing)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return // another connection has taken it over
	}
	s.conn = nil
	if s.expiry > 0 && r.offline.Load() < maxOffline {
		s.ends = now.Unix() + int64(s.expiry)
		r.offline.Add(1)
		return
	}
	sh.remove(s)
}

// remove forgets a session. sh.mu is held.
func (sh *shard) remove(s *session) {
	list := slices.DeleteFunc(sh.things[s.thing], func(known *session) bool { return known == s })
	if len(list) == 0 {
		delete(sh.things, s.thing)
		return
	}
	sh.things[s.thing] = list
}

// expire returns list without the expired sessions.
func (r *registry) expire(list []*session, now time.Time) []*session {
	return slices.DeleteFunc(list, func(s *session) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		over := s.conn == nil && s.ends <= now.Unix()
		if over {
			r.offline.Add(-1)
		}
		return over
	})
}

// evict drops the session that would expire first of those whose device is disconnected.
func (r *registry) evict(list []*session) []*session {
	at, first := -1, int64(0)
	for i, s := range list {
		s.mu.Lock()
		if s.conn == nil && (at < 0 || s.ends < first) {
			at, first = i, s.ends
		}
		s.mu.Unlock()
	}
	if at < 0 {
		return list
	}
	r.offline.Add(-1)
	return slices.Delete(list, at, at+1)
}

// connected appends the connections of a thing to dst.
func (r *registry) connected(dst []*conn, thing string) []*conn {
	sh := r.shard(thing)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range sh.things[thing] {
		s.mu.Lock()
		if s.conn != nil {
			dst = append(dst, s.conn)
		}
		s.mu.Unlock()
	}
	return dst
}

// forget drops a thing's sessions, and returns their connections.
func (r *registry) forget(thing string) (open []*conn) {
	sh := r.shard(thing)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range sh.things[thing] {
		s.mu.Lock()
		if s.conn != nil {
			open = append(open, s.conn)
			s.conn, s.expiry = nil, 0
		} else {
			r.offline.Add(-1)
		}
		s.mu.Unlock()
	}
	delete(sh.things, thing)
	return open
}

// sweep drops expired sessions, of one shard in each call.
func (r *registry) sweep(i int, now time.Time) {
	sh := &r.shards[i%len(r.shards)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for thing, list := range sh.things {
		left := r.expire(list, now)
		if len(left) == 0 {
			delete(sh.things, thing)
		} else {
			sh.things[thing] = left
		}
	}
}
