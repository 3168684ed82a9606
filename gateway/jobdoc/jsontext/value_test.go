package jsontext

import (
	"encoding/json"
	"testing"
)

func FuzzIsValue(f *testing.F) {
	for _, seed := range []string{"", " ", "0", "-0", "00", "01", "1.", "1.5", ".5", "-", "1e5", "1E+5", "1e-", "1e", "1.2.3", "true", " null ", "nul", `"x"`, `"x`, "{}", "[1,]", "-1.0e10 "} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := IsValue(text), json.Valid(text); got != want {
			t.Errorf("IsValue(%q) = %v, json.Valid says %v", text, got, want)
		}
	})
}
