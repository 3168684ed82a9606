// Package rules says what becomes of the rows of a jobs store: of things, groups and memberships, of jobs and their
// rollouts and sweeps, of executions. Each rule stands here once, for every engine.
//
//	Service ──► Store ──► Update(func(Tx))     read a set of rows, decide, write a set of rows
//	              └─────► Pending, Execution, Apply, Job, Due     what is asked often goes straight through
//
// A transaction's function decides from what it reads in it and sets its results anew in each run: an engine may run it
// several times. Rows are read and written in sets: a chunk of a rollout is five calls, however many things it queues.
package rules
