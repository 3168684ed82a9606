//go:build !race && unix

package sqlite_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jobgate/gateway/jobs"
)

// BenchmarkUpdate measures durable updates of executions by many devices at once.
func BenchmarkUpdate(b *testing.B) { benchmarkUpdate(b, 256) }

// BenchmarkUpdate_OneAtATime is the comparison: one commit, and so one disk flush, per update.
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
	b.ReportAllocs()
	b.ResetTimer()
	spent := processorTime()
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
	b.ReportMetric(float64((processorTime()-spent).Nanoseconds())/1000/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
	b.ReportMetric(float64(p99(slices.Concat(took...)).Microseconds())/1000, "p99-ms")
}

// BenchmarkRollout measures rollouts to all things, and the latency of devices that read and report meanwhile.
func BenchmarkRollout(b *testing.B) {
	f := newFleet(b, fleetSize())
	f.register()
	f.run()
	f.createJob("warm")
	f.rollOut("warm")
	begun := time.Now()
	idle := f.load(func() bool { return time.Since(begun) < 2*time.Second })
	var rolling latencies
	var created, queued time.Duration
	for n := 0; b.Loop(); n++ {
		id := fmt.Sprintf("job-%d", n)
		begun := time.Now()
		f.createJob(id)
		created += time.Since(begun)
		l := f.load(f.rolling(id))
		queued += time.Since(begun)
		rolling.reads, rolling.updates = append(rolling.reads, l.reads...), append(rolling.updates, l.updates...)
	}
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(milliseconds(created)/float64(b.N), "create-ms")
	b.ReportMetric(float64(len(f.names)*b.N)/queued.Seconds(), "queued/s")
	b.ReportMetric(milliseconds(p99(idle.reads)), "idle-read-p99-ms")
	b.ReportMetric(milliseconds(p99(rolling.reads)), "read-p99-ms")
	b.ReportMetric(milliseconds(p99(idle.updates)), "idle-update-p99-ms")
	b.ReportMetric(milliseconds(p99(rolling.updates)), "update-p99-ms")
}

// BenchmarkOpen measures the processor time of opening a store in which each thing has a pending job.
func BenchmarkOpen(b *testing.B) {
	f := newFleet(b, fleetSize())
	f.register()
	f.createJob("job")
	f.ok(f.service.Driver().Tick(bg, time.Now()))
	f.rollOut("job")
	var spent time.Duration
	for b.Loop() {
		f.ok(f.store.Close())
		begun := processorTime()
		f.open()
		spent += processorTime() - begun
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/float64(len(f.names)), "cpu-ns/thing")
}

// processorTime returns the processor time that this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// p99 sorts a list and returns its 99th percentile; 0 if it is empty.
func p99(list []time.Duration) time.Duration {
	slices.Sort(list)
	if len(list) == 0 {
		return 0
	}
	return list[len(list)*99/100]
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
