package edge

import (
	"testing"
	"time"
)

// A mass of parked connections brings about one collection, once it has ebbed; a few bring about none.
func TestCollectionDue(t *testing.T) {
	f := func(what string, want int, freed ...int64) {
		t.Helper()
		var c collection
		now, got := time.Unix(1e9, 0), 0
		for _, n := range freed {
			now = now.Add(time.Second)
			if c.due(n, now) {
				got++
			}
		}
		if got != want {
			t.Errorf("%s: %d collections, want %d", what, got, want)
		}
	}
	f("nothing", 0, 0, 0, 0)
	f("a few", 0, 500, 400, 0, 0)
	f("a mass", 1, 5000, 5000, 3000, 0, 10, 0)
	f("a mass that has not ebbed", 0, 5000, 5000, 3000, 0, 0)
	f("a mass at once", 1, 20000, 0, 0, 0)
	f("as it goes on", 0, 2000, 2000, 2000, 2000)
	f("two masses in a row", 1, 20000, 0, 0, 0, 20000, 0, 0, 0)
	f("a stream of few", 1, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)
}

// records knows where a record ends, however the bytes come.
func TestRecords(t *testing.T) {
	stream := "\x16\x03\x01\x00\x03abc" + "\x17\x03\x03\x00\x00" + "\x17\x03\x03\x01\x04" + string(make([]byte, 260))
	whole := map[int]bool{0: true, 8: true, 13: true, len(stream): true}
	for size := 1; size <= len(stream); size++ {
		var r records
		for at := 0; at < len(stream); {
			n := min(size, len(stream)-at)
			r.follow([]byte(stream[at : at+n]))
			if at += n; r.inside() == whole[at] {
				t.Fatalf("in pieces of %d, after %d bytes: inside is %v", size, at, r.inside())
			}
		}
	}
}
