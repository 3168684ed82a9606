// Package sqlite is the embedded store of the jobs service: one SQLite file, one process.
//
//	change ──► queue ──► writer: BEGIN, many changes, COMMIT (one fsync) ──► view ──► answers
//	device's read ─────────────────────────────────────────────────────────► view
//	operator's read ──► a read connection of the pool
//
// One goroutine owns the writing connection. It takes all the changes that wait, makes them in one transaction and
// commits: an answered change is on disk (WAL, synchronous=FULL), and the changes of a group share one fsync. Only then
// does it publish them to the view, and only then are they answered.
//
// The view (package view) holds in memory what devices ask for. It is rebuilt when the store is opened. It lies below the
// interface of an engine: nobody else knows of it. The writer is the only one to change it, so it reads it without locks.
//
// A second handle on the same file would not see the first one's view, so it is refused (engine.ErrInUse).
package sqlite
