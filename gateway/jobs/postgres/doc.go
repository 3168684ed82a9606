// Package postgres keeps the rows of a jobs store in PostgreSQL, for any number of gateways at once.
//
//	device's read   ──► lane: requests that arrive while a query runs form the next one   executions by thing
//	device's report ──► lane: one UPDATE … FROM unnest, keys sorted, version in the WHERE executions, counts, timers,
//	                                                                                      ended, feed
//	rules           ──► Update: SERIALIZABLE, repeated after 40001 and 40P01              array statements
//	other gateways  ──► Feed: polled, ordered by transaction, nothing overtaken           feed
//
// It is an engine: rows, SQL and mapping, but no rules (package engine has the laws). It is fast because statements take
// arrays, an update of an execution touches no index (HOT), and two reports never write the same row: a job's counts are
// sums over shards, one for each writing connection. A device's read finds its thing by the place of its row (ctid), whose
// name is compared, not by the index on names.
//
// A report is one statement at READ COMMITTED: its version check and row lock suffice. Everything else is SERIALIZABLE, so
// a rule sees the rows as if it ran alone.
//
// The feed uses PostgreSQL's snapshot functions (pg_current_xact_id, pg_snapshot_xmin; PostgreSQL 13). A transaction of
// another program on the same server that writes and stays open holds the feed back; its lag is a metric.
package postgres
