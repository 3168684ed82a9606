//go:build !race

package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/operations"
	"jobgate/gateway/jobs/sqlite"
)

// fleetSize is how many things the tests and benchmarks of scale have: a million if JOBS_SCALE is "full".
func fleetSize() int {
	if os.Getenv("JOBS_SCALE") == "full" {
		return 1_000_000
	}
	return 20_000
}

// fleet is a store with things in one group, and a service over it.
type fleet struct {
	testing.TB
	path    string
	store   jobs.Store
	service *operations.Service
	names   []string
}

func newFleet(t testing.TB, things int) *fleet {
	t.Helper()
	f := &fleet{TB: t, path: filepath.Join(t.TempDir(), "jobs.db"), names: thingNames(things)}
	f.open()
	t.Cleanup(func() { _ = f.store.Close() })
	return f
}

func (f *fleet) open() {
	f.Helper()
	var err error
	f.store, err = openStore(sqlite.Options{Path: f.path})
	f.ok(err)
	f.service, err = operations.New(operations.Config{Store: f.store, Names: jobs.Names{Region: "us-east-1", Account: "000000000000"}})
	f.ok(err)
}

func thingNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("thing-%012d", i)
	}
	return names
}

// register registers the things, and adds them to the group "all".
func (f *fleet) register() {
	f.Helper()
	now := time.Now()
	f.ok(f.store.CreateGroup(bg, jobs.Group{Name: "all", ID: "all", Version: 1, CreatedAt: now}, nil))
	for chunk := range slices.Chunk(f.names, 5000) {
		things := make([]jobs.Thing, len(chunk))
		for i, n := range chunk {
			things[i] = jobs.Thing{Name: n, ID: "00000000-0000-4000-8000-" + n[6:], Version: 1, CreatedAt: now}
		}
		f.ok(f.store.CreateThings(bg, things))
		_, err := f.store.ChangeMembers(bg, jobs.MemberChange{Things: chunk, Add: []string{"all"}, Now: now})
		f.ok(err)
	}
}

func (f *fleet) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// createJob creates a job for all things.
func (f *fleet) createJob(id string) {
	f.Helper()
	_, err := f.service.CreateJob(bg, time.Now(), jobs.CreateJobRequest{
		ID: id, Document: `{"do":"it"}`, Targets: []string{f.service.Names().GroupARN("all")},
	})
	f.ok(err)
}

// rollOut waits until a job's rollout is done.
func (f *fleet) rollOut(id string) {
	f.Helper()
	for {
		p, err := f.store.Progress(bg, id)
		f.ok(err)
		if p.Done {
			if n := p.Counts.Total(); n != int64(len(f.names)) {
				f.Fatalf("%d executions, want %d", n, len(f.names))
			}
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// run runs the service in the background.
func (f *fleet) run() {
	ctx, cancel := context.WithCancel(bg)
	var wg sync.WaitGroup
	wg.Go(func() { f.service.Driver().Run(ctx) })
	f.Cleanup(func() { cancel(); wg.Wait() })
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestRollout creates a job for all things while devices read and report. They must get answers between the chunks of the
// rollout. BenchmarkRollout measures the latencies.
func TestRollout(t *testing.T) {
	f := newFleet(t, fleetSize())
	f.register()
	f.run()
	f.createJob("warm")
	f.rollOut("warm")
	f.createJob("job")
	l := f.load(f.rolling("job"))
	f.rollOut("job")
	t.Logf("%d reads and %d updates during the rollout", len(l.reads), len(l.updates))
	if len(l.reads) == 0 || len(l.updates) == 0 {
		t.Errorf("%d reads and %d updates were answered during the rollout, want some of each", len(l.reads), len(l.updates))
	}
	p, err := f.store.Progress(bg, "job")
	if least := len(f.names) / operations.DefaultChunkSize; err != nil || p.Chunks < int64(least) {
		t.Errorf("%d chunks, %v, want at least %d", p.Chunks, err, least)
	}
}

// Limits of the live heap, in bytes.
const (
	maxHeap  = 160     // for each thing with a pending job
	onceHeap = 2 << 20 // for the store's buffers
)

// TestMemory measures the live heap for each thing with a pending job, and how long it takes to open such a store.
func TestMemory(t *testing.T) {
	f := newFleet(t, fleetSize())
	before := heap() // the empty store, and the names that this test keeps
	f.register()
	f.createJob("job")
	f.ok(f.service.Driver().Tick(bg, time.Now()))
	f.rollOut("job")
	cost := func(when string) {
		used := heap() - before
		t.Logf("%.0f bytes of live heap per thing %s", float64(used)/float64(len(f.names)), when)
		if limit := maxHeap*int64(len(f.names)) + onceHeap; used > limit {
			t.Errorf("%d bytes of live heap for %d things %s, want at most %d", used, len(f.names), when, limit)
		}
	}
	cost("after the rollout")
	f.ok(f.store.Close())
	begun := time.Now()
	f.open()
	t.Logf("opened in %v", time.Since(begun).Round(time.Millisecond))
	cost("after a restart")
	if list, err := f.store.Pending(bg, nil, f.names[7]); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	f.ok(f.store.Close())
}

// latencies are the latencies that devices saw during a load.
type latencies struct{ reads, updates []time.Duration }

// rolling returns a function that reports whether a job's rollout is in progress.
func (f *fleet) rolling(id string) func() bool {
	return func() bool {
		p, err := f.store.Progress(bg, id)
		return err == nil && !p.Done
	}
}

// load makes devices read and report for as long as more returns true.
func (f *fleet) load(more func() bool) latencies {
	f.Helper()
	var stop atomic.Bool
	var wg sync.WaitGroup
	const readers, writers = 4, 32
	reads, updates := make([][]time.Duration, readers), make([][]time.Duration, writers)
	for i := range readers {
		wg.Go(func() {
			var buf [8]jobs.Execution
			for !stop.Load() {
				begun := time.Now()
				if _, err := f.service.GetPending(bg, f.any(), buf[:0]); err != nil {
					f.Error(err)
				}
				reads[i] = append(reads[i], time.Since(begun))
				time.Sleep(200 * time.Microsecond)
			}
		})
	}
	for i := range writers {
		wg.Go(func() {
			for !stop.Load() {
				begun := time.Now()
				_, err := f.service.Update(bg, begun, jobs.UpdateExecutionRequest{Thing: f.any(), JobID: "warm", Status: jobs.InProgress})
				if err != nil {
					f.Error(err)
				}
				updates[i] = append(updates[i], time.Since(begun))
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	for more() {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()
	return latencies{slices.Concat(reads...), slices.Concat(updates...)}
}

func (f *fleet) any() string { return f.names[rand.IntN(len(f.names))] }
