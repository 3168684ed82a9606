// Package memory is an engine that keeps its rows in sorted tables: for tests of the rules, and as proof that an
// engine needs to know none of them.
//
//	View ──► a snapshot of all tables, read without a lock
//	Update ──► a snapshot, changed; it becomes the database if it commits, and is dropped if not
//
// It injects the faults of a database over a network (Moods): it discards a transaction's work and runs it again, as after a
// serialization failure; it commits and loses the answer; it is slow. It counts the calls.
package memory
