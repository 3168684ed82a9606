// Package postgres keeps the rows of a jobs store in PostgreSQL, for any number of gateways at once.
//
//	device's read   ──► lane: what came while the last query ran is the next query        executions by thing
//	device's report ──► lane: one UPDATE … FROM unnest, keys sorted, version in the WHERE executions, counts, timers,
//	                                                                                      ended, feed
//	rules           ──► Update: SERIALIZABLE, repeated after 40001 and 40P01              array statements
//	other gateways  ──► Feed: polled, ordered by transaction, nothing overtaken           feed
//
// It is an engine: rows, SQL and mapping, and no rule (package engine has the laws). What makes it fast is that statements
// take arrays, that an update of an execution touches no index (HOT), and that nothing two reports have in common is
// written by both: a job's counts are sums over shards, one shard a connection that writes. A device's read finds its thing
// by the place of its row (ctid), which is compared, not by the index on names.
//
// A report is one statement at READ COMMITTED: its version check and its row lock are what it needs. Everything else is
// SERIALIZABLE, so a rule sees the rows as if it were alone.
//
// The feed uses PostgreSQL's snapshot functions (pg_current_xact_id, pg_snapshot_xmin; PostgreSQL 13). A transaction of
// another program on the same server that writes and stays open holds the feed back; its lag is a metric.
package postgres
