package cache

import (
	"strings"
	"testing"
)

// An entry matches only its own key, whether that is stored in the entry or elsewhere.
func TestEntryMatchesItsKey(t *testing.T) {
	full := strings.Repeat("a", shortKey)
	keys := []string{"", "a", "b", "aa", full, full[1:] + "b", full + "a", full + "b", full + full + full, "\x00", strings.Repeat("\x00", shortKey)}
	for _, a := range keys {
		for _, b := range keys {
			e, other := newEntry[int](a, 1, 0), newEntry[int](b, 1, 0)
			if e.is([]byte(b)) != (a == b) || e.sameKey(other) != (a == b) {
				t.Errorf("an entry of %q matches %q: %v, %v", a, b, e.is([]byte(b)), e.sameKey(other))
			}
		}
	}
}
