// Package memory is an engine that keeps its rows in sorted tables. It is for tests of the rules, and shows that an engine
// does not depend on them.
//
//	View ──► a snapshot of all tables, read without a lock
//	Update ──► a snapshot, changed; a commit makes it the database, a rollback drops it
//
// It injects the faults of a database over a network (Faults): it rolls a transaction back and runs it again, as after a
// serialization failure; it loses the answer to a commit; it delays calls. It records the calls.
package memory
