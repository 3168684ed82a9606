package presigner

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// maxSigningKeys bounds the keys that SigningKeys remembers; when it is full, it starts over.
const maxSigningKeys = 1024

// SigningKeys remembers the signing keys of requests with valid signatures: the next request of the same caller on the same
// day then costs one HMAC instead of five. Invalid requests leave nothing behind. The zero value is ready; it is safe for
// concurrent use, and reading it takes no lock.
type SigningKeys struct {
	keys atomic.Pointer[map[string]rememberedKey] // by credential, as a request names it; immutable
	mu   sync.Mutex                               // guards replacing keys
}

// rememberedKey is a signing key, and the secret that it is derived from.
type rememberedKey struct {
	secret string
	key    hmacState
}

// get returns the key derived from secret for a credential (KEY/DATE/REGION/SERVICE/aws4_request), and whether it was remembered.
func (k *SigningKeys) get(credential, secret string) (key hmacState, known bool) {
	if k == nil {
		return key, false
	}
	if keys := k.keys.Load(); keys != nil {
		if r, known := (*keys)[credential]; known && r.secret == secret {
			return r.key, true
		}
	}
	return key, false
}

// add remembers a key. It does not retain credential's bytes.
func (k *SigningKeys) add(credential, secret string, key hmacState) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	next := map[string]rememberedKey{}
	if old := k.keys.Load(); old != nil && len(*old) < maxSigningKeys {
		next = maps.Clone(*old)
	}
	next[strings.Clone(credential)] = rememberedKey{secret, key}
	k.keys.Store(&next)
}
