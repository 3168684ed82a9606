package plan

import (
	"testing"
	"time"
)

// The arrivals of every accepted rate are in order and within its length.
func FuzzParseRate(f *testing.F) {
	f.Add("20000/s")
	f.Add("1000..50000/s:60s,5/m:1h,0..1k:1ms")
	f.Fuzz(func(t *testing.T, text string) {
		stages, err := ParseRate(text)
		if err != nil {
			return
		}
		var length, last time.Duration
		for _, s := range stages {
			length += s.Length
			if s.Length > 1000*time.Hour {
				return // float64 seconds are too imprecise
			}
		}
		a := NewArrivals(stages, false, 0)
		for range 1000 {
			due, ok := a.Next()
			if !ok {
				return
			}
			if due < last || stages[len(stages)-1].Length > 0 && due > length {
				t.Fatalf("%q: an arrival at %s follows one at %s, the stages last %s", text, due, last, length)
			}
			last = due
		}
	})
}
