// Package jobs says what a job, an execution, a thing and a group are, and what becomes of an execution. The rooms around it
// do the rest of the IoT Jobs service:
//
//	operator ──► api ─────────► operations ──► Store ──► rules ──► engine: sqlite, …     one call: read, decide, swap
//	device   ──► api, mqtt ──►    │              ▲
//	                              ├─ transition.go       what an execution becomes   (pure)
//	                              ├─ plan                what a job becomes, and when (pure)
//	                              ├─ managed             AWS's own job templates     (pure)
//	                              └─ driver ─────┘       timers and chunks: rollouts, cancellations, deletions
//
// An operation reads a state, decides with pure functions and swaps the new state in by its version; when another change
// came between, it reads again. The Store keeps states and does work on sets, in chunks that save how far they came.
// Nothing else remembers anything: a timer is a column, a rollout is a cursor, so a restart loses none, and several
// gateways can share a store whose engine allows it: one of them runs the driver's steps, by a lease. That a job is
// completed, or that an abort rule holds, is decided there, within a second of the report, and not by the report.
//
// Package rules implements Store over an engine (package engine): what stands in rows is decided there. Package sqlite is
// the embedded engine, memory the one of tests; package enginetest has the laws of an engine, package storetest those of
// the store and of the service on any engine; package api is the wire.
//
// The clock is read once by whoever calls and handed down; stores keep milliseconds.
//
// Where AWS's documentation is silent (AWS.md, UNVERIFIED), this package decides:
//
//   - A job without a rollout configuration is rolled out as fast as the store takes it, not at 1000 a minute.
//   - A group's descendants are targets with it. A thing that leaves before a snapshot job's rollout has come to it does
//     not get the job; one that joins a continuous job's group gets it at once, whatever the rate.
//   - A retry, or joining a continuous job's group again, is a new execution number. The job's counts count things, by
//     their latest execution; earlier attempts stay readable by number.
//   - QUEUED may become SUCCEEDED or FAILED without having been IN_PROGRESS.
//   - A device that describes an execution of its own that has ended gets TerminalState.
//   - Leaving a group, and deleting a thing, remove executions that are IN_PROGRESS too.
//   - Executions of a SCHEDULED job that wait are not offered to devices; a device that asks for one by its job's id
//     gets it. A device is shown 15 pending executions.
//   - A canceled job is CANCELED at once for everybody; its executions follow in chunks. An abort rule cancels with the
//     reason code ABORT_CRITERIA_MET. An abort rule looks at executions that succeeded, failed, were rejected or timed
//     out.
//   - After its end time a job runs what is left, without windows, and is COMPLETED when all has ended, whatever the end
//     behaviour. Where that cancels, nothing is retried after it.
//   - Maintenance windows take AWS's cron expressions of six fields, or crontab's of five, in UTC (plan.ParseCron).
//   - The in-progress and step timers end an execution within a second or so of running out.
//   - documentParameters are put into the document when the job is created; an optional one that is not given is empty.
//   - Over HTTP a device is offered the jobs of all namespaces. AWS's topics of a namespace offer that namespace's jobs,
//     its other topics those without one.
//   - There is no software package catalog: destinationPackageVersions is refused.
package jobs
