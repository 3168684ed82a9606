// Package rules implements the rules of a jobs store over its rows: things, groups and memberships, jobs with their
// rollouts and sweeps, executions. Every engine uses the same rules.
//
//	Service ──► Store ──► Update(func(Tx))     read a set of rows, decide, write a set of rows
//	              └─────► Pending, Execution, Apply, Job, Due     frequent calls go straight through
//
// A transaction's function decides only from what it reads in the transaction, and resets its results on each run, because
// an engine may run it several times. Rows are read and written in sets: a chunk of a rollout is five calls, for any number
// of things.
package rules
