//go:build !race

package sqlite_test

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// BenchmarkUpdate reports durable updates of executions, by many devices at once.
func BenchmarkUpdate(b *testing.B) { benchmarkUpdate(b, 256) }

// BenchmarkUpdate_OneAtATime is its rival: a commit, and so a flush of the disk, for each.
func BenchmarkUpdate_OneAtATime(b *testing.B) { benchmarkUpdate(b, 1) }

func benchmarkUpdate(b *testing.B, devices int) {
	f := newFleet(b, fleetSize())
	f.register()
	f.run()
	f.createJob("job")
	f.rollOut("job")
	var next atomic.Int64
	var wg sync.WaitGroup
	took := make([][]time.Duration, devices)
	b.ResetTimer()
	for i := range devices {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				begun := time.Now()
				_, err := f.service.Update(bg, begun, jobs.UpdateExecutionRequest{
					Thing: f.any(), JobID: "job", Status: jobs.InProgress, Details: map[string]string{"step": "download"},
				})
				if err != nil {
					b.Error(err)
				}
				took[i] = append(took[i], time.Since(begun))
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	b.ReportMetric(float64(p99(slices.Concat(took...)).Microseconds())/1000, "p99-ms")
}

// BenchmarkDescribe reads a device's pending job with its document.
func BenchmarkDescribe(b *testing.B) {
	f := newFleet(b, fleetSize())
	f.register()
	f.run()
	f.createJob("job")
	f.rollOut("job")
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % len(f.names)
		_, found, err := f.service.Describe(bg, jobs.DescribeExecutionRequest{Thing: f.names[i], JobID: jobs.Next, Document: true})
		if err != nil || !found {
			b.Fatal(found, err)
		}
	}
}
