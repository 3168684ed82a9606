package rounds

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"jobgate/bench/peers/process"
	"jobgate/bench/peers/setup"
	"jobgate/gateway/servertest"
)

// TestServerTime divides the CPU time of a busy process by the good answers.
func TestServerTime(t *testing.T) {
	shell := servertest.Program(t, "sh", "dash")
	p, err := process.Start("busy", process.AnyCore, nil, shell, "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	c := &Contestant{Server: p, Run: func(context.Context) (Turn, error) {
		for p.CPU() < 50*time.Millisecond {
			time.Sleep(time.Millisecond)
		}
		return Turn{Good: 10}, nil
	}}
	got, err := c.turn(t.Context())
	if err != nil || got.Server < time.Millisecond || got.Server > time.Second {
		t.Errorf("an answer took the server %s, %v; want 5ms or a little more", got.Server, err)
	}
	c.Run = func(context.Context) (Turn, error) { return Turn{Failed: 10}, nil }
	if got, err := c.turn(t.Context()); err != nil || got.Server != 0 {
		t.Errorf("without a good answer, the server's time is %s, %v; want 0", got.Server, err)
	}
}

func TestMedianAndRatio(t *testing.T) {
	f := func(want float64, values ...float64) {
		t.Helper()
		if got := Median(values); got != want {
			t.Errorf("the median of %v is %g, want %g", values, got, want)
		}
	}
	f(3, 5, 3, 1)
	f(2, 1, 3)
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of no values is not NaN")
	}
	a := &Contestant{Turns: []Turn{{Rate: 50}, {Rate: 80}, {Rate: 30}}}
	b := &Contestant{Turns: []Turn{{Rate: 100}, {Rate: 100}, {Rate: 100}}}
	if got := Spread(a.Ratios(b, RateOf)); got != "0.50 (0.30 … 0.80)" {
		t.Errorf("the ratio is %s, want 0.50 (0.30 … 0.80)", got)
	}
	if got := Spread(a.Ratios(b, ServerOf)); got != "not measured" {
		t.Errorf("the ratio of unmeasured figures is %s", got)
	}
}

// Every contestant has a turn in every round, and none is always first.
func TestTakeTurns(t *testing.T) {
	var order []string
	all := []*Contestant{}
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, &Contestant{Name: name, Run: func(context.Context) (Turn, error) {
			order = append(order, name)
			return Turn{Rate: 1}, nil
		}})
	}
	if err := Take(context.Background(), &setup.Options{Rounds: 3}, all); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abcbcacab" {
		t.Errorf("the turns are %s", got)
	}
}
