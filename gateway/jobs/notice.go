package jobs

import (
	"encoding/json"
	"fmt"
	"time"
)

// Notice informs the gateways of a shared store of a change of a job, a thing, or some executions. It is written in the
// same transaction as the change, so notices and changes always agree.
type Notice struct {
	Type   EventType `json:"type"`
	At     int64     `json:"at,omitempty"` // milliseconds of the Unix epoch; 0 = the time it is read
	JobID  string    `json:"job,omitempty"`
	Status JobStatus `json:"status,omitempty"` // the job's
	Reason string    `json:"reason,omitempty"` // the job's reason code
	Counts *Counts   `json:"counts,omitempty"` // of the job, in notices of jobs
	Thing  string    `json:"thing,omitempty"`  // in a notice of a thing

	Executions []NoticedExecution `json:"executions,omitempty"` // in notices of executions; at least one

	Row int64 `json:"-"` // the job's: the notices of a job keep their order
}

// NoticedExecution is an execution's part of a Notice. The first attempt, just queued, has nothing but its thing.
type NoticedExecution struct {
	Thing   string `json:"thing"`
	Number  int64  `json:"n,omitempty"` // 0 is 1
	Version int64  `json:"v,omitempty"` // 0 is 1
	Status  Status `json:"s,omitempty"`
	Retry   int    `json:"r,omitempty"`
	Due     int64  `json:"due,omitempty"` // when its timer runs out

	Details StatusDetails `json:"d,omitempty"` // see Event.Details
}

// NoticeJob returns the notice of a change of a job.
func NoticeJob(t EventType, j *Job, counts *Counts, now time.Time) Notice {
	return Notice{Type: t, At: now.UnixMilli(), JobID: j.ID, Status: j.Status, Reason: j.ReasonCode, Counts: counts, Row: j.Row}
}

// NoticeExecutions returns the notices of changes of executions, one for each run of one job's.
func NoticeExecutions(t EventType, list []Execution) (notices []Notice) {
	for i := range list {
		e := &list[i]
		if n := len(notices); n == 0 || notices[n-1].Row != e.Job.Row {
			notices = append(notices, Notice{Type: t, At: e.UpdatedAt.UnixMilli(), JobID: e.Job.ID, Status: e.Job.Status, Row: e.Job.Row})
		}
		last := &notices[len(notices)-1]
		last.Executions = append(last.Executions, noticed(e))
	}
	return notices
}

func noticed(e *Execution) NoticedExecution {
	n := NoticedExecution{Thing: e.Thing, Status: e.Status, Retry: e.Retry, Details: e.LastDetails()}
	if e.Number != 1 {
		n.Number = e.Number
	}
	if e.Version != 1 {
		n.Version = e.Version
	}
	if due, ok := e.Due(); ok {
		n.Due = due.UnixMilli()
	}
	return n
}

// Encode returns the notice in the feed's format.
func (n *Notice) Encode() ([]byte, error) { return json.Marshal(n) }

// DecodeNotice decodes what this or another version's Encode wrote.
func DecodeNotice(text []byte) (n Notice, err error) {
	if err := json.Unmarshal(text, &n); err != nil {
		return n, fmt.Errorf("cannot read a notice of another gateway: %w", err)
	}
	return n, nil
}

// Events calls f with the events of a notice.
func (n *Notice) Events(now time.Time, f func(*Event)) {
	e := Event{Type: n.Type, Time: now, JobID: n.JobID, Job: n.Status, Reason: n.Reason, Thing: n.Thing}
	if n.At != 0 {
		e.Time = time.UnixMilli(n.At).UTC()
	}
	if n.Counts != nil {
		e.Counts = *n.Counts
	}
	if len(n.Executions) == 0 {
		f(&e)
		return
	}
	for i := range n.Executions {
		x := &n.Executions[i]
		e.Thing, e.Number, e.Version, e.Status, e.Retry = x.Thing, max(1, x.Number), max(1, x.Version), x.Status, x.Retry
		e.Details = x.Details
		f(&e)
	}
}

// EventFor returns the event for a job's change to next.
func (j *Job) EventFor(next *Job) EventType {
	switch {
	case next.Status == JobDeleting && j.Status != JobDeleting:
		return EventJobDeleting
	case next.Status == JobCompleted && j.Status != JobCompleted:
		return EventJobCompleted
	case next.Status == JobCanceled && next.Sweep != SweepNone && (j.Status != JobCanceled || j.Sweep != next.Sweep):
		return EventJobCanceling
	case next.Status == JobCanceled && j.Sweep != SweepNone && next.Sweep == SweepNone:
		return EventJobCanceled
	}
	return EventJobUpdated
}
