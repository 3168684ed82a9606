// Package engine is the interface between the rules of jobs and the storage of their rows.
//
//	device's request ──► Pending, Execution, Apply           one call each, which the engine may batch
//	rules ──► Update(func(Tx)) ──► rows read, rows written    a transaction, in array statements
//	operator's read ──► View(func(Reader))                   one state of the database
//	other gateways ──► Feed                                  committed changes, in order for each job
//
// An engine reads and writes sets of rows. It handles keys, versions, cursors and sums, but not rollouts, sweeps, retries or
// changes of membership: these are in package rules, for every engine. An engine imports this package and none of the
// project's others, which a linter checks.
//
// # Laws
//
// These hold for every engine; package enginetest checks them.
//
//   - Durable: when Apply or Update returns nil, its changes are on disk, and every later call on any handle sees them.
//   - Serializable: the functions of Update run as if one after the other, together with Apply and the feed. An engine may
//     run them concurrently and rerun one after a conflict. So a function may run several times, and the last run counts:
//     it must set its results, not add to them, and have no other effects. If it returns an error, nothing is changed and
//     Update returns the error.
//   - Unknown outcomes: if the answer to a commit is lost, the engine looks up the outcome until ctx ends; then it returns
//     ErrUnknown. A later read shows the outcome.
//   - Own writes: a transaction reads its own writes.
//   - Array-wise: a method with a slice costs one round trip, for any length. Rules do not call a method per row.
//   - Order: rows have the order that the method documents, regardless of the order of arguments. If it documents none, the
//     order is undefined.
//   - Stateless: a handle only caches committed rows that no one else can have changed, or that are recognized as old by
//     their version. Two handles of a shared engine may alternate between any two calls.
//   - Times are milliseconds of the Unix epoch; 0 is none. They are the caller's, except for leases.
//
// # Counts
//
// A job's Progress.Counts and Totals are sums over its executions' rows, by status, without attempts. The engine chooses how
// to keep them, but two reports of one job must not wait for each other because of them (use shards, or deltas that are added
// up later). A transaction's Reader sees its own changes in them.
//
// # Timers
//
// The timer of an execution that has not ended is the earlier of Deadline and Step, of those set. Due returns executions by
// timer. The engine indexes timers apart from the executions' rows, which change too often for an index on a time.
//
// # Ended executions
//
// Each time an execution's row gets a status of FirstEnded or above, a line (job, thing, number, status, reason) is added,
// and never changed. Ended and Reasons read only the lines of things' latest executions, not of superseded or deleted ones.
// Lines are deleted with their job.
package engine
