// Package driver does the background work on jobs: it takes the steps that package plan returns, and publishes changes.
//
//	scheduler ──► Round ──┬─ jobs whose time has come: plan.Next ──► Store: swap, chunk of a rollout, chunk of a sweep, removal
//	  ▲ ▲                 ├─ timers that ran out ──► Store.Swap
//	  │ │                 ├─ memberships of deleted groups ──► Store.SweepGroups
//	  │ │                 └─ jobs whose retention has passed
//	  │ └─ operations: Schedule, ScheduleTimer, Begin
//	  └─ the feed of a shared store: changes by other gateways
//
// Of the processes that share a store, the one with the lease drives; each follows the feed. Only the store holds the
// progress of the work.
package driver

import (
	"cmp"
	"log/slog"
	"sync/atomic"
	"time"

	"jobgate/gateway/jobs"
)

// Config configures a Driver; all but Retention and PublishEvery are required.
type Config struct {
	Store        jobs.Store
	Publisher    *Publisher
	Documents    Documents
	ChunkSize    int           // executions in one step
	Retention    time.Duration // jobs that ended longer ago are deleted; 0: never
	PublishEvery time.Duration // minimum interval between events of a job's counts; 0: a second
	Log          *slog.Logger
}

// Documents are the compiled documents of jobs. They are dropped when they change or are no longer needed.
type Documents interface {
	Forget(jobID string)
	Clear()
}

// Driver does the background work on the jobs of a store. Run and Tick are for one goroutine; all other methods are safe
// for concurrent use.
type Driver struct {
	scheduler
	store     jobs.Store
	publish   *Publisher
	documents Documents
	samples   samples
	published published
	chunk     int
	log       *slog.Logger

	leading   atomic.Bool
	shared    bool         // other gateways may change the store
	caughtUp  atomic.Int64 // when the feed was last read to its end, ns; 0: not yet
	followed  atomic.Int64 // when that read began, ns
	pruned    time.Time    // when the feed was last pruned; used by Run only
	retention time.Duration
	retained  time.Time // when no job was past its retention; used by Run only
}

// New returns a Driver. Run starts its work.
func New(c Config) *Driver {
	d := &Driver{
		scheduler: scheduler{kick: make(chan struct{}, 1), every: checkEvery},
		store:     c.Store, publish: c.Publisher, documents: c.Documents, chunk: c.ChunkSize, log: c.Log,
		shared: c.Store.Shared(), retention: c.Retention, published: published{every: cmp.Or(c.PublishEvery, time.Second)},
	}
	if d.shared {
		d.scheduler.every = checkShared
	}
	return d
}
