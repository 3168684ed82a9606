// Package memory is an engine that keeps its rows in sorted tables: for tests of the rules, and as the proof that an
// engine needs to know none of them.
//
//	View ──► a snapshot of all tables, read without a lock
//	Update ──► a snapshot, changed; it becomes the database if it commits, and is dropped if not
//
// It is as unkind as a database over a network may be (Moods): it throws a transaction's work away and runs it again, as
// after a serialization failure; it commits and loses the answer; it takes its time. It counts the calls that it gets.
package memory
