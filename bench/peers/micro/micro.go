// Package micro compares operations of nanoseconds to microseconds: signing one URL, filling one template.
package micro

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"jobgate/bench/peers/rounds"
	"jobgate/bench/peers/setup"
	"jobgate/bench/peers/table"
)

// operation is one implementation of such an operation.
type operation struct {
	name      string
	reference bool // the others are compared with it: jobgate
	goal      float64
	run       func(b *testing.B)

	ns     []float64 // of each round
	bytes  int64
	allocs int64
}

// measure runs the operations in turns and prints their medians and how many times slower
// than the reference each is.
func measure(ctx context.Context, o *setup.Options, title, note string, all []*operation) error {
	// Run testing's benchmark loop outside of go test.
	testing.Init()
	if err := flag.Set("test.benchtime", min(o.Length, time.Second/2).String()); err != nil {
		return err
	}
	for round := range o.Rounds {
		for i := range all {
			if err := ctx.Err(); err != nil {
				return err
			}
			op := all[(i+round)%len(all)]
			r := testing.Benchmark(op.run)
			if r.N == 0 {
				return fmt.Errorf("%s failed", op.name)
			}
			op.ns = append(op.ns, float64(r.T.Nanoseconds())/float64(r.N))
			op.bytes, op.allocs = r.AllocedBytesPerOp(), r.AllocsPerOp()
			o.Progress("round %d  %-40s %10.1f ns", round+1, op.name, op.ns[len(op.ns)-1])
		}
	}
	printOperations(title, note, all)
	return nil
}

func printOperations(title, note string, all []*operation) {
	i := slices.IndexFunc(all, func(op *operation) bool { return op.reference })
	reference := all[i]
	fmt.Printf("### %s\n\n%s\n\n", title, note)
	t := table.New("<", "time", "jobgate is faster by (lowest … highest)", "<goal", "B/op", "allocs/op")
	for _, op := range all {
		var ratios []float64
		for round := range op.ns {
			ratios = append(ratios, op.ns[round]/reference.ns[round])
		}
		ratio, goal := "", ""
		if op != reference {
			ratio = fmt.Sprintf("%.2f× (%.2f … %.2f)", rounds.Median(slices.Clone(ratios)), slices.Min(ratios), slices.Max(ratios))
		}
		if op.goal > 0 {
			goal = fmt.Sprintf("≥ %g×", op.goal)
		}
		t.Add(op.name, nanoseconds(rounds.Median(slices.Clone(op.ns))), ratio, goal, fmt.Sprint(op.bytes), fmt.Sprint(op.allocs))
	}
	fmt.Print(t)
	fmt.Printf("Medians of %d rounds; ratios within each round.\n\n", len(reference.ns))
}

func nanoseconds(ns float64) string {
	if ns < 1000 {
		return fmt.Sprintf("%.0f ns", ns)
	}
	return fmt.Sprintf("%.2f µs", ns/1000)
}
