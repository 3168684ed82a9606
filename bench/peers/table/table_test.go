package table

import (
	"math"
	"testing"
)

func TestRates(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Thousands(1234567.4), "1,234,567")
	f(Thousands(999), "999")
	f(Thousands(999.6), "1,000")
	f(Thousands(0), "0")
	f(Thousands(math.NaN()), "NaN")
	f(ShortDuration(380e3), "380 µs")
	f(ShortDuration(1.5e6), "1.50 ms")
}

func TestTable(t *testing.T) {
	written := New("<name", "µs")
	written.Add("a", "1")
	written.Add("longer", "12345")
	want := "| name   |    µs |\n| ------ | ----: |\n| a      |     1 |\n| longer | 12345 |\n\n"
	if got := written.String(); got != want {
		t.Errorf("the table is\n%s, want\n%s", got, want)
	}
}
