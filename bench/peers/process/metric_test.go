package process

import "testing"

func TestSumOf(t *testing.T) {
	const text = `# HELP a text
a 1.5
ab 7
c{listener="x",state="parked"} 2
c{listener="y",state="parked"} 3
c{listener="y",state="idle"} 4
`
	f := func(want float64, name string, labels ...string) {
		t.Helper()
		if got, err := sumOf(text, name, labels); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s %q: %v, %v; want %v", name, labels, got, err, want)
		}
	}
	f(1.5, "a")
	f(9, "c")
	f(5, "c", `state="parked"`)
	f(3, "c", `state="parked"`, `listener="y"`)
	f(0, "d")
	f(0, "c", `state="active"`)
}
