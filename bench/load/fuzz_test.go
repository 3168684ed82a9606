package load

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Whatever JSON can hide a placeholder behind, the search finds it.
func FuzzHasPlaceholder(f *testing.F) {
	f.Add([]byte(`{"a":"$\u007baws:iot:x}"}`))
	f.Add([]byte(`"\\u0024{aws:iot:"`))
	f.Add([]byte(`["${aws:iot:"]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		found := hasPlaceholder(body)
		var v any
		if json.Unmarshal(body, &v) == nil && holds(v, 0) && !found {
			t.Errorf("the placeholder in %q is not found", body)
		}
	})
}

// holds says whether a decoded value has a placeholder, also within strings that are
// JSON again.
func holds(v any, depth int) bool {
	switch v := v.(type) {
	case string:
		var inner any
		return strings.Contains(v, string(placeholder)) || depth < 2 && json.Unmarshal([]byte(v), &inner) == nil && holds(inner, depth+1)
	case []any:
		for _, e := range v {
			if holds(e, depth) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.Contains(k, string(placeholder)) || holds(e, depth) {
				return true
			}
		}
	}
	return false
}

// Every accepted rate has arrivals in order, within its length.
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
				return // further than a Duration's float can tell
			}
		}
		a := newArrivals(stages, false, 0)
		for range 1000 {
			due, ok := a.next()
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
