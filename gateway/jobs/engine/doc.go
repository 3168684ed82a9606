// Package engine is the cut between the rules of jobs and whatever keeps their rows.
//
//	device's request ──► Pending, Execution, Apply           one call each, batched as the engine likes
//	rules ──► Update(func(Tx)) ──► rows read, rows written    a transaction, in array statements
//	operator's read ──► View(func(Reader))                   one state of the database
//	other gateways ──► Feed                                  what was committed, in order a job
//
// An engine reads and writes sets of rows. It knows keys, versions, cursors and sums; what a rollout, a sweep, a retry or
// a change of membership means it does not: package rules says that once, for every engine. An engine imports this
// package and none of the project's others, which a linter holds.
//
// # Laws
//
// These hold of every engine; package enginetest checks them.
//
//   - Durable: when Apply or Update returns nil, what it changed is on disk, and every call that begins after that, on
//     any handle, sees it.
//   - Serializable: the functions of Update run as if one after the other, Apply and the feed included. An engine may
//     run them at once and start one anew that got in another's way: a function may run several times, the last of which
//     counts. So it has no effect outside but what its last run leaves: it sets its results, it does not add to them.
//     A function that returns an error leaves no trace, and the error is Update's.
//   - Unknown outcomes: if the answer of a commit is lost, the engine finds out what became of it, as long as ctx
//     allows; then it returns ErrUnknown. Whoever reads again sees which it was.
//   - Own writes: a transaction reads what it wrote.
//   - Array-wise: a method with a slice costs one round trip, however long the slice is. Rules do not call a method a row.
//   - Order: rows come in the order that the method names, whatever the order of the arguments. Where none is named
//     there is none.
//   - Nothing is remembered: what a handle keeps in memory is a copy of committed rows that nobody else can have changed,
//     or that says by its version that it is old. Two handles of a shared engine may alternate between any two calls.
//   - Times are milliseconds of the Unix epoch; 0 is none. The clock is the caller's, but for leases.
//
// # Counts
//
// A job's Progress.Counts and Totals are sums over its executions' rows, by status; attempts do not count. The engine
// keeps them as it likes: two reports of one job must not wait for each other because of them (shards, or deltas that
// are added up later). A Reader of a transaction sees its own changes in them.
//
// # Timers
//
// The timer of an execution that has not ended is the earlier of Deadline and Step that is set. Due serves them by time. They are the engine's
// to index apart from the executions' rows, which change too often for an index on a time.
//
// # Ended executions
//
// Each time an execution's row takes a status of FirstEnded or above, a line (job, thing, number, status, reason) is
// added, and never changed. Ended and Reasons read these lines as far as they are still the thing's latest execution:
// one that was superseded or deleted does not show. They go with their job.
package engine
