package plan

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	f := func(text string, want ...Stage) {
		t.Helper()
		got, err := ParseRate(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseRate(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	f("20000/s", Stage{20000, 20000, 0})
	f("20000", Stage{20000, 20000, 0})
	f("20k/s:30s", Stage{20000, 20000, 30 * time.Second})
	f("600/m", Stage{10, 10, 0})
	f("3600/h", Stage{1, 1, 0})
	f("0.5/s", Stage{0.5, 0.5, 0})
	f("1000..50000/s:60s", Stage{1000, 50000, time.Minute})
	f("0..100/s:1s", Stage{0, 100, time.Second})
	f("100/s:10s, 200/s:1m,300/s", Stage{100, 100, 10 * time.Second}, Stage{200, 200, time.Minute}, Stage{300, 300, 0})
}

func TestParseRateRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseRate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRate(%q): %v; want an error with %q", text, err, want)
		}
	}
	f("", `"" is not a number`)
	f("fast", `"fast" is not a number`)
	f("NaN/s", "not a number")
	f("-5/s", "not within 0 and 10000000")
	f("1e9/s", "not within 0 and 10000000")
	f("0/s", "it is zero")
	f("10/d", `unit "d"`)
	f("10/s:0s", "not a duration above zero")
	f("10/s:soon", "not a duration above zero")
	f("10/s:9000h", "longer than a year")
	f("10..20/s", "a ramp needs a length")
	f("10..x/s:1s", `"x" is not a number`)
	f("10/s,20/s", "every stage but the last needs a length")
}

// all returns the arrival times of stages in seconds.
func all(stages []Stage, poisson bool, seed uint64) (due []float64) {
	a := NewArrivals(stages, poisson, seed)
	for {
		d, ok := a.Next()
		if !ok {
			return due
		}
		due = append(due, d.Seconds())
	}
}

// A request due in a thousand years must not be due now.
func TestArrivalsOfATinyRate(t *testing.T) {
	for _, poisson := range []bool{false, true} {
		a := NewArrivals([]Stage{{From: 1e-12, To: 1e-12}}, poisson, 1)
		for range 3 {
			due, ok := a.Next()
			if due < 0 || !ok {
				t.Fatalf("an arrival is due at %s (%t)", due, ok)
			}
		}
	}
}

func TestArrivalsConstant(t *testing.T) {
	due := all([]Stage{{100, 100, time.Second}, {10, 10, time.Second}}, false, 0)
	if len(due) != 110 {
		t.Fatalf("%d arrivals, want 110", len(due))
	}
	for i, want := range map[int]float64{0: 0, 1: 0.01, 99: 0.99, 100: 1, 101: 1.1, 109: 1.9} {
		if math.Abs(due[i]-want) > 1e-6 {
			t.Errorf("arrival %d is due at %.7f s, want %.7f", i, due[i], want)
		}
	}
}

func TestArrivalsRamp(t *testing.T) {
	f := func(from, to float64) {
		t.Helper()
		due := all([]Stage{{from, to, 10 * time.Second}}, false, 0)
		if want := (from + to) / 2 * 10; math.Abs(float64(len(due))-want) > 1 {
			t.Fatalf("%g..%g: %d arrivals, want %g", from, to, len(due), want)
		}
		if !slices.IsSorted(due) {
			t.Fatalf("%g..%g: the arrivals are not in order", from, to)
		}
		// The number of arrivals in each second is the ramp's rate in the middle of the second.
		for second := range 10 {
			n := 0
			for _, d := range due {
				if int(d) == second {
					n++
				}
			}
			want := from + (to-from)*(float64(second)+0.5)/10
			if math.Abs(float64(n)-want) > 1.5 {
				t.Errorf("%g..%g: %d arrivals in second %d, want %g", from, to, n, second, want)
			}
		}
	}
	f(100, 1000)
	f(1000, 100)
	f(0, 500)
	f(500, 0)
}

func TestArrivalsPoisson(t *testing.T) {
	due := all([]Stage{{1000, 1000, 100 * time.Second}}, true, 7)
	n := float64(len(due))
	if math.Abs(n-100_000) > 4*math.Sqrt(100_000) {
		t.Errorf("%g arrivals, want 100000 ± 4σ", n)
	}
	var gaps, squares float64
	for i := 1; i < len(due); i++ {
		gap := due[i] - due[i-1]
		gaps += gap
		squares += gap * gap
	}
	mean := gaps / n
	if cv := math.Sqrt(squares/n-mean*mean) / mean; math.Abs(cv-1) > 0.02 {
		t.Errorf("the gaps' coefficient of variation is %.3f, want an exponential distribution's 1", cv)
	}
	if again := all([]Stage{{1000, 1000, 100 * time.Second}}, true, 7); !slices.Equal(due, again) {
		t.Error("the same seed drew other arrivals")
	}
	if other := all([]Stage{{1000, 1000, 100 * time.Second}}, true, 8); slices.Equal(due, other) {
		t.Error("another seed drew the same arrivals")
	}
}

func TestDueCounter(t *testing.T) {
	stages := []Stage{{1000, 1000, 0}}
	c := NewDueCounter(NewArrivals(stages, false, 0), time.Second, 3*time.Second, math.MaxInt64)
	f := func(now time.Duration, want int64) {
		t.Helper()
		if got := c.UpTo(now); got != want {
			t.Errorf("up to %s: %d more, want %d", now, got, want)
		}
	}
	f(500*time.Millisecond, 0)
	f(1999500*time.Microsecond, 1000)
	f(2999500*time.Microsecond, 1000)
	f(time.Hour, 0)
	if got := NewDueCounter(NewArrivals(stages, true, 0), 0, math.MaxInt64, 123).UpTo(time.Hour); got != 123 {
		t.Errorf("a run of 123 requests counts %d due", got)
	}
}
