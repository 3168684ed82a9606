//go:build !race

package sqlite

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// BenchmarkView finds one of a million things by name, as a request of its device does: what that takes is the memory's
// latency.
func BenchmarkView(b *testing.B) {
	const things = 1_000_000
	v := newView()
	v.jobs.add(1, &jobs.Job{ID: "job", Status: jobs.JobInProgress, CreatedAt: time.Unix(1, 0)}, jobs.Progress{})
	for i := range things {
		v.addThing(int64(i+1), fmt.Sprintf("thing-%06d", i))
		v.put(&row{job: 1, thing: int64(i + 1), number: 1, version: 1, queued: 1}, v.jobs.bySeq[1])
	}
	names := make([]string, 1<<12) // few enough to stay in the caches, seen seldom enough that their things do not
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
					b.Fatalf("%s is not there", names[i%len(names)])
				}
			}
		})
	}
	var buf [8]jobs.Execution
	f("execution", func(name string) bool { _, ok := v.execution(name, "job"); return ok })
	f("pending", func(name string) bool { _, ok := v.pending(buf[:0], name); return ok })
}
