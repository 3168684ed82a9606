package presigner

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// maxSigningKeys bounds what SigningKeys remembers; with more it begins anew.
const maxSigningKeys = 1024

// SigningKeys remembers the signing keys of requests whose signatures were right: the next request of the same caller
// on the same day then costs one HMAC instead of five. Requests that are wrong leave nothing behind. The zero value is
// ready; it is safe for concurrent use, and reading it takes no lock.
type SigningKeys struct {
	keys atomic.Pointer[map[signingScope]hmacState] // immutable
	mu   sync.Mutex                                 // of those who replace it
}

// signingScope is what a signing key is derived from.
type signingScope struct{ secret, date, region, service string }

func (s *signingScope) derive() []byte { return deriveKey(s.secret, s.date, s.region, s.service) }

// clone returns s without the request that its parts are of.
func (s *signingScope) clone() signingScope {
	return signingScope{s.secret, strings.Clone(s.date), strings.Clone(s.region), strings.Clone(s.service)}
}

// get returns a key, and whether it is remembered.
func (k *SigningKeys) get(s signingScope) (key hmacState, known bool) {
	if k == nil {
		return key, false
	}
	if keys := k.keys.Load(); keys != nil {
		key, known = (*keys)[s]
	}
	return key, known
}

func (k *SigningKeys) add(s signingScope, key hmacState) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	next := map[signingScope]hmacState{}
	if old := k.keys.Load(); old != nil && len(*old) < maxSigningKeys {
		next = maps.Clone(*old)
	}
	next[s] = key
	k.keys.Store(&next)
}
