//go:build !race

package target

import "testing"

func TestParseAllocatesNothing(t *testing.T) {
	var g Target
	f := func(uri string) {
		t.Helper()
		b := []byte(uri)
		if err := g.Parse(b); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = g.Parse(b) }); n != 0 {
			t.Errorf("%q: %v allocations", uri, n)
		}
	}
	f("/things/sensor:1/jobs/$next?includeJobDocument=true")
	f("/things/sensor%3A1/jobs/%24next")
	f("http://host?a=b")
}
