// Package sqlite is the embedded store of the jobs service: one SQLite file, one process.
//
//	change ──► queue ──► writer: BEGIN, many changes, COMMIT (one fsync) ──► view ──► answers
//	device's read ─────────────────────────────────────────────────────────► view
//	operator's read ──► a read connection of the pool
//
// One goroutine owns the writing connection. It executes all waiting changes in one transaction, commits it, publishes the
// changes to the view, and only then answers them. So an answered change is on disk (WAL, synchronous=FULL), and the
// changes of a group share one fsync.
//
// The view (package view) keeps in memory what devices request. It is rebuilt when the store is opened. It is internal to
// this engine. Only the writer changes it, so the writer reads it without locks.
//
// A second handle on the same file would not see the first one's view, so it is refused (engine.ErrInUse).
package sqlite
