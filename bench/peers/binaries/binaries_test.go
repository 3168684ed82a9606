package binaries

import (
	"context"
	"testing"

	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/setup"
)

// TestPlay checks that as many turns count as there are rounds, without the warm-up round.
func TestPlay(t *testing.T) {
	b := &binaries{Options: &setup.Options{Rounds: 2, Only: "document"}}
	var turns [2]*rounds.Contestant
	for i := range turns {
		served := 0
		turns[i] = &rounds.Contestant{Name: "side", Run: func(context.Context) (rounds.Turn, error) {
			served++
			return rounds.Turn{Rate: float64(served * (i + 1)), Good: 1}, nil
		}}
	}
	if err := b.play(t.Context(), "filling in flight", turns); err != nil || len(b.pairs) != 0 {
		t.Errorf("a scenario that -only does not select: %d pairs, %v", len(b.pairs), err)
	}
	if err := b.play(t.Context(), "One document for all", turns); err != nil || len(b.pairs) != 1 {
		t.Fatalf("%d pairs, %v; want 1", len(b.pairs), err)
	}
	if got := b.pairs[0].sides[0].Of(rounds.RateOf); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("the counted turns have the rates %v, want [2 3]", got)
	}
	if got := b.pairs[0].ratios(rounds.RateOf); len(got) != 2 || got[0] != 2 || got[1] != 2 {
		t.Errorf("the ratios of the pairs are %v, want [2 2]", got)
	}
}
