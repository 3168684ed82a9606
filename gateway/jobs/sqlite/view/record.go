package view

import (
	"jobgate/gateway/jobs/engine"
)

// record is an execution that has not ended. It has 64 bytes and no pointers, so the garbage collector does not scan
// millions of them. Status details are in shard.details.
type record struct {
	queued, started, updated int64 // milliseconds; 0 = never
	deadline, step           int64
	job                      uint32 // slot of its job in the view
	next                     uint32 // the thing's next record, as slot+1; 0 = none
	number, version          uint32
	timer                    uint32 // time of the entry in the timers' heap, in seconds; 0 = none
	status                   uint8
	retry, retryTimedOut     uint8
	flags                    uint8
}

// Flags of a record.
const (
	flagForced  = 1 << iota
	flagDetails // shard.details has an entry
)

// due returns when the record's timer expires, in milliseconds; 0 = no timer.
func (r *record) due() int64 {
	x := engine.Execution{Deadline: r.deadline, Step: r.step}
	return x.Timer()
}

// recordOf returns a row as a record. slot is that of its job.
func recordOf(x *engine.Execution, slot uint32) record {
	rec := record{
		queued: x.Queued, started: x.Started, updated: x.Updated, deadline: x.Deadline, step: x.Step,
		job: slot, number: uint32(x.Number), version: uint32(x.Version), status: x.Status,
		retry: uint8(x.Retry), retryTimedOut: uint8(x.RetryTimedOut),
	}
	if x.Forced {
		rec.flags |= flagForced
	}
	if x.Details != "" {
		rec.flags |= flagDetails
	}
	return rec
}

// execution returns r as a row.
func (r *record) execution(thing uint32, name string, j *engine.Job, details string) engine.Execution {
	return engine.Execution{
		Job: j.Seq, Thing: int64(thing), Number: int64(r.number), Version: int64(r.version), Status: r.status,
		Retry: int(r.retry), RetryTimedOut: int(r.retryTimedOut), Forced: r.flags&flagForced != 0, Details: details,
		Queued: r.queued, Started: r.started, Updated: r.updated, Deadline: r.deadline, Step: r.step,
		Name: name, Of: j,
	}
}
