package sqlite

import (
	"time"

	"jobgate/gateway/jobs"
)

// record is an execution that has not ended, as the view keeps it: 64 bytes, no pointers, so that millions cost the
// garbage collector nothing. Status details lie beside it (shard.details).
type record struct {
	queued, started, updated int64 // milliseconds; 0 = never
	deadline, step           int64
	job                      uint32 // slot of its job in the view
	next                     uint32 // the thing's next record, as slot+1; 0 = none
	number, version          uint32
	timer                    uint32 // second of the entry in the timers' heap; 0 = none
	status                   jobs.Status
	retry, retryTimedOut     uint8
	flags                    uint8
}

// Flags of a record.
const (
	flagForced  = 1 << iota
	flagDetails // shard.details has an entry
)

// due returns when the record's timer runs out, in milliseconds; 0 = no timer.
func (r *record) due() int64 {
	switch {
	case r.status != jobs.InProgress:
		return 0
	case r.deadline == 0 || (r.step != 0 && r.step < r.deadline):
		return r.step
	}
	return r.deadline
}

// row is an execution as the database keeps it.
type row struct {
	job                                      int64 // jobs.seq
	thing                                    int64 // things.id
	number                                   int64
	version                                  int64
	status                                   jobs.Status
	retry, retryTimedOut                     int
	forced                                   bool
	queued, started, updated, deadline, step int64
	details                                  jobs.StatusDetails
}

// rowOf returns e as a row.
func rowOf(e *jobs.Execution, job, thing int64) row {
	return row{
		job: job, thing: thing, number: e.Number, version: e.Version, status: e.Status,
		retry: e.Retry, retryTimedOut: e.RetryTimedOut, forced: e.Forced, details: e.Details,
		queued: millis(e.QueuedAt), started: millis(e.StartedAt), updated: millis(e.UpdatedAt),
		deadline: millis(e.Deadline), step: millis(e.StepDeadline),
	}
}

// execution returns r as an execution of a thing and a job.
func (r *row) execution(thing string, j *jobs.Job) jobs.Execution {
	return jobs.Execution{
		Thing: thing, Job: j, Number: r.number, Version: r.version, Status: r.status,
		Retry: r.retry, RetryTimedOut: r.retryTimedOut, Forced: r.forced, Details: r.details,
		QueuedAt: instant(r.queued), StartedAt: instant(r.started), UpdatedAt: instant(r.updated),
		Deadline: instant(r.deadline), StepDeadline: instant(r.step),
	}
}

// record returns r as the view keeps it, of the job in a slot.
func (r *row) record(slot uint32) record {
	rec := record{
		queued: r.queued, started: r.started, updated: r.updated, deadline: r.deadline, step: r.step,
		job: slot, number: uint32(r.number), version: uint32(r.version), status: r.status,
		retry: uint8(r.retry), retryTimedOut: uint8(r.retryTimedOut),
	}
	if r.forced {
		rec.flags |= flagForced
	}
	if r.details != "" {
		rec.flags |= flagDetails
	}
	return rec
}

// execution returns r as an execution.
func (r *record) execution(thing string, j *jobs.Job, details jobs.StatusDetails) jobs.Execution {
	return jobs.Execution{
		Thing: thing, Job: j, Number: int64(r.number), Version: int64(r.version), Status: r.status,
		Retry: int(r.retry), RetryTimedOut: int(r.retryTimedOut), Forced: r.flags&flagForced != 0, Details: details,
		QueuedAt: instant(r.queued), StartedAt: instant(r.started), UpdatedAt: instant(r.updated),
		Deadline: instant(r.deadline), StepDeadline: instant(r.step),
	}
}

// millis is how times are kept; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
