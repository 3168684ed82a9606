package main

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

// TestPlay counts as many pairs as there are rounds: the first, which warms up, is left out.
func TestPlay(t *testing.T) {
	b := &binaries{options: &options{rounds: 2, only: "document"}}
	var turns [2]*contestant
	for i := range turns {
		served := 0
		turns[i] = &contestant{name: "side", run: func(context.Context) (turn, error) {
			served++
			return turn{rate: float64(served * (i + 1)), good: 1}, nil
		}}
	}
	if err := b.play(t.Context(), "filling in flight", turns); err != nil || len(b.pairs) != 0 {
		t.Errorf("a scenario that -only leaves out: %d pairs, %v", len(b.pairs), err)
	}
	if err := b.play(t.Context(), "One document for all", turns); err != nil || len(b.pairs) != 1 {
		t.Fatalf("%d pairs, %v; want 1", len(b.pairs), err)
	}
	if got := b.pairs[0].sides[0].of(rateOf); len(got) != 2 || got[0] != 2 || got[1] != 3 {
		t.Errorf("the turns that count have the rates %v, want [2 3]", got)
	}
	if got := b.pairs[0].ratios(rateOf); len(got) != 2 || got[0] != 2 || got[1] != 2 {
		t.Errorf("the ratios of the pairs are %v, want [2 2]", got)
	}
}

// TestServerTime takes the CPU time of a process that does nothing else than use it, over the answers that were good.
func TestServerTime(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("install a POSIX shell: sh is not in the path")
	}
	p, err := start("busy", anyCore, nil, shell, "-c", "while :; do :; done")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	c := &contestant{server: p, run: func(context.Context) (turn, error) {
		for p.cpu() < 50*time.Millisecond {
			time.Sleep(time.Millisecond)
		}
		return turn{good: 10}, nil
	}}
	got, err := c.turn(t.Context())
	if err != nil || got.server < time.Millisecond || got.server > time.Second {
		t.Errorf("an answer took the server %s, %v; want 5ms or a little more", got.server, err)
	}
	c.run = func(context.Context) (turn, error) { return turn{failed: 10}, nil }
	if got, err := c.turn(t.Context()); err != nil || got.server != 0 {
		t.Errorf("no good answer took the server %s, %v", got.server, err)
	}
}
