package plan

import (
	"strings"
	"testing"
)

func mustNames(t testing.TB, prefix, text, spread string) Names {
	t.Helper()
	n, err := ParseNames(prefix, text)
	if err != nil {
		t.Fatal(err)
	}
	n.Spread, n.Skew = spread, 1.1
	return n
}

func TestNames(t *testing.T) {
	f := func(prefix, text string, i uint32, want string) {
		t.Helper()
		n := mustNames(t, prefix, text, Uniform)
		if got := string(n.AppendTo([]byte("foo"), i)); got != "foo"+want {
			t.Errorf("name %d of %q is %q, want %q", i, text, got, "foo"+want)
		}
	}
	f("thing-", "1", 0, "thing-0")
	f("thing-", "10", 9, "thing-9")
	f("thing-", "11", 9, "thing-09")
	f("thing-", "1000000", 42, "thing-000042")
	f("t", "500000..999999", 0, "t500000")
	f("t", "500000..999999", 499999, "t999999")
	f("", "7..7", 0, "7")
}

func TestParseNamesRefuses(t *testing.T) {
	f := func(prefix, text, want string) {
		t.Helper()
		if _, err := ParseNames(prefix, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseNames(%q, %q): %v; want an error with %q", prefix, text, err, want)
		}
	}
	f("t", "", "neither a number nor a range")
	f("t", "many", "neither a number nor a range")
	f("t", "-1", "neither a number nor a range")
	f("t", "99999999999", "neither a number nor a range")
	f("t", "0", "at least one")
	f("t", "5..4", "the end of the range")
	f("t", "5..", "the end of the range")
	f("a/b", "5", "[A-Za-z0-9:_.-]")
	f(strings.Repeat("x", 128), "5", "at most 128")
}

func TestPicker(t *testing.T) {
	const count = 1000
	draw := func(spread string, seed uint64, part, parts int) (hits [count]int) {
		p := NewPicker(mustNames(t, "t", "1000", spread), seed, part, parts)
		for range 100_000 {
			hits[p.Pick()]++
		}
		return hits
	}
	uniform := draw(Uniform, 1, 0, 1)
	for i, n := range uniform {
		if n < 50 || n > 150 {
			t.Errorf("uniform: name %d was drawn %d times of 100000, want about 100", i, n)
		}
	}
	zipf := draw(Zipf, 1, 0, 1)
	if zipf[0] < 10*zipf[99] {
		t.Errorf("zipf: the first name was drawn %d times, the hundredth %d times", zipf[0], zipf[99])
	}
	for i, n := range draw(Sequential, 1, 3, 7) {
		if n != 100 {
			t.Errorf("sequential: name %d was drawn %d times, want exactly 100", i, n)
		}
	}
	if draw(Uniform, 1, 0, 2) != uniform {
		t.Error("the same seed drew other names")
	}
	if draw(Uniform, 1, 1, 2) == uniform || draw(Uniform, 2, 0, 1) == uniform {
		t.Error("another part or another seed drew the same names")
	}
}
