package cache

import (
	"strings"
	"testing"
)

// An entry is of its own key, whether that stands in the entry or elsewhere.
func TestEntryIsOfItsKey(t *testing.T) {
	keys := []string{"", "a", "b", "aa", strings.Repeat("a", shortKey), strings.Repeat("a", shortKey-1) + "b", strings.Repeat("a", shortKey+1),
		strings.Repeat("a", shortKey) + "b", strings.Repeat("a", 300), "\x00", strings.Repeat("\x00", shortKey)}
	for _, a := range keys {
		for _, b := range keys {
			e, other := newEntry[int](a, 1, 0), newEntry[int](b, 1, 0)
			if e.is([]byte(b)) != (a == b) || e.sameKey(other) != (a == b) {
				t.Errorf("an entry of %q is of %q: %v, %v", a, b, e.is([]byte(b)), e.sameKey(other))
			}
		}
	}
}
