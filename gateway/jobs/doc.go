// Package jobs defines jobs, executions, things and groups, and the state machine of an execution. The packages around it
// do the rest of the IoT Jobs service:
//
//	operator ──► api ─────────► operations ──► Store ──► rules ──► engine: sqlite, …     one call: read, decide, swap
//	device   ──► api, mqtt ──►    │              ▲
//	                              ├─ transition.go       what an execution becomes   (pure)
//	                              ├─ plan                what a job becomes, and when (pure)
//	                              ├─ managed             AWS's own job templates     (pure)
//	                              └─ driver ─────┘       timers and chunks: rollouts, cancellations, deletions
//
// An operation reads a state, decides with pure functions and swaps in the new state by its version; after a conflicting
// change it reads again. The Store keeps states and works on sets in chunks that save their progress. Nothing else holds
// state: a timer is a column, a rollout is a cursor, so a restart loses nothing. Several gateways can share a store whose
// engine allows it; one of them, by a lease, runs the driver. The driver completes jobs and applies abort rules within a
// second of a report; the report itself does not.
//
// Package rules implements Store over an engine (package engine), which stores rows. Package sqlite is the embedded engine,
// memory the one for tests. Package enginetest tests any engine; package storetest tests the store and the service on any
// engine; package api is the wire format.
//
// The caller reads the clock once and passes it down; stores keep milliseconds.
//
// If AWS's documentation does not say (AWS.md, UNVERIFIED), this package decides:
//
//   - A job without a rollout configuration is rolled out as fast as the store allows, not at 1000 a minute.
//   - A group's descendants are targets too. A thing that leaves before a snapshot job's rollout reaches it does not get
//     the job; one that joins a continuous job's group gets it at once, at any rate.
//   - A retry, or joining a continuous job's group again, is a new execution number. The job's counts count things, by
//     their latest execution; earlier attempts stay readable by number.
//   - QUEUED may become SUCCEEDED or FAILED without having been IN_PROGRESS.
//   - A device that describes an execution of its own that has ended gets TerminalState.
//   - Leaving a group, and deleting a thing, remove executions that are IN_PROGRESS too.
//   - Queued executions of a SCHEDULED job are not offered to devices, but a device can get one by its job's id. A device
//     is shown 15 pending executions.
//   - A canceled job is CANCELED at once; its executions follow in chunks. An abort rule cancels with the reason code
//     ABORT_CRITERIA_MET. It counts executions that succeeded, failed, were rejected or timed out.
//   - After its end time a job runs its remaining executions, without windows, and is COMPLETED when all have ended,
//     with any end behaviour. If that cancels, nothing is retried afterwards.
//   - Maintenance windows take AWS's cron expressions of six fields, or crontab's of five, in UTC (plan.ParseCron).
//   - The in-progress and step timers end an execution within a second or so of running out.
//   - documentParameters are inserted into the document when the job is created; a missing optional one is empty.
//   - Over HTTP a device is offered the jobs of all namespaces. AWS's topics of a namespace offer that namespace's jobs,
//     its other topics those without one.
//   - There is no software package catalog: destinationPackageVersions is refused.
package jobs
