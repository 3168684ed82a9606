package answer

import (
	"encoding/json"
	"strings"
	"testing"
)

// hasPlaceholder finds every placeholder, whatever its JSON escapes.
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

// holds reports whether a decoded value has a placeholder, including in strings that contain
// JSON.
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
