//go:build !race

package view

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"jobgate/gateway/jobs/engine"
)

// BenchmarkView finds one of a million things by name, as a request of its device does. Memory latency dominates the time.
func BenchmarkView(b *testing.B) {
	const things = 1_000_000
	v := New()
	v.Jobs.Add(&engine.Job{Seq: 1, ID: "job", Active: true}, engine.Progress{})
	for i := range things {
		v.AddThing(int64(i+1), fmt.Sprintf("thing-%06d", i))
		v.Put(&engine.Execution{Job: 1, Thing: int64(i + 1), Number: 1, Version: 1, Queued: 1})
	}
	names := make([]string, 1<<12) // few enough to stay in the processor's caches; their things do not, because each is used once
	f := func(name string, find func(name string) bool) {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if i%len(names) == 0 {
					b.StopTimer()
					for n := range names {
						names[n] = fmt.Sprintf("thing-%06d", rand.IntN(things))
					}
					b.StartTimer()
				}
				if !find(names[i%len(names)]) {
					b.Fatalf("%s is not found", names[i%len(names)])
				}
			}
		})
	}
	var buf [8]engine.Execution
	f("execution", func(name string) bool { _, ok := v.Execution(name, "job"); return ok })
	f("pending", func(name string) bool { _, ok := v.Pending(buf[:0], name); return ok })
}
