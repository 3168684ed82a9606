package jobdoc

import (
	"testing"
	"unsafe"

	"jobgate/gateway/jobdoc/glob"
)

func TestSizesOfStructs(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the sizes are those of 64-bit machines: run it on one")
	}
	f := func(name string, constant int, size uintptr) {
		t.Helper()
		if constant != int(size) {
			t.Errorf("%s is %d bytes, the constant says %d", name, size, constant)
		}
	}
	f("Template", templateBytes, unsafe.Sizeof(Template{}))
	f("urlHole", urlHoleBytes, unsafe.Sizeof(urlHole{}))
	f("mark", markBytes, unsafe.Sizeof(mark{}))
}

// Checks glob.MayMatch and glob.Matches against each other: a pattern that matches for a
// value may match, and one that matches with a hole matches for every value.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "aXXbYc", "v")
	f.Add("a*", "a\x00b\x00", "1")
	f.Add("?*?", "\x00", "x")
	f.Add("ab*ba", "aba", "b")
	f.Fuzz(func(t *testing.T, pattern, text, value string) {
		if _, err := (&Values{ThingName: []byte(value)}).get(ThingName); err != nil || len(pattern) > 50 || len(text) > 100 {
			return // not a valid value, or too long to be fast
		}
		filled := []byte{}
		for i := range len(text) {
			if text[i] == glob.Hole {
				filled = append(filled, value...)
			} else {
				filled = append(filled, text[i])
			}
		}
		matches := glob.Matches(pattern, filled)
		if exact := glob.MayMatch(pattern, filled, isValueByte); matches != exact {
			t.Errorf("%q on %q: Matches says %v, the automaton %v", pattern, filled, matches, exact)
		}
		if matches && !glob.MayMatch(pattern, []byte(text), isValueByte) {
			t.Errorf("%q on %q: no value may match, but %q does", pattern, text, value)
		}
		if glob.Matches(pattern, text) && !matches {
			t.Errorf("%q on %q: every value matches, but %q does not", pattern, text, value)
		}
	})
}
