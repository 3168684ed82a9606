package jobs

import "time"

// JobStatus is the state of a job (AWS.md §6).
type JobStatus uint8

// Job states. The numbers are stored; do not renumber.
const (
	JobScheduled  JobStatus = iota + 1 // waits for its start or its next maintenance window
	JobInProgress                      // rolls out, or waits for executions to end
	JobCompleted                       // every execution has ended
	JobCanceled                        // by an operator or an abort rule
	JobDeleting                        // DELETION_IN_PROGRESS: its executions are being removed
)

// String returns AWS's name.
func (s JobStatus) String() string {
	if int(s) < len(jobStatusNames) {
		return jobStatusNames[s]
	}
	return ""
}

var jobStatusNames = [...]string{"", "SCHEDULED", "IN_PROGRESS", "COMPLETED", "CANCELED", "DELETION_IN_PROGRESS"}

// ParseJobStatus returns the state that AWS calls name.
func ParseJobStatus(name string) (JobStatus, bool) {
	for i, n := range jobStatusNames {
		if i > 0 && n == name {
			return JobStatus(i), true
		}
	}
	return 0, false
}

// Terminal reports whether the job has ended: completed or canceled.
func (s JobStatus) Terminal() bool { return s == JobCompleted || s == JobCanceled }

// Selection reports whether things that join a target group later get the job.
type Selection uint8

// Target selections. The numbers are stored; do not renumber.
const (
	Snapshot   Selection = iota + 1 // the members at creation, and no others
	Continuous                      // later members too, while the job runs
)

// String returns AWS's name.
func (s Selection) String() string {
	switch s {
	case Snapshot:
		return "SNAPSHOT"
	case Continuous:
		return "CONTINUOUS"
	}
	return ""
}

// Target is a thing or a thing group that a job is for.
type Target struct {
	Group bool   `json:"group,omitempty"` // Name is a group's
	Name  string `json:"name"`
}

// Sweep is pending work on all of a job's executions, done in chunks (Store.SweepJob).
type Sweep uint8

// Sweeps. The numbers are stored; do not renumber.
const (
	SweepNone         Sweep = iota
	SweepCancelQueued       // QUEUED becomes CANCELED
	SweepCancelAll          // QUEUED and IN_PROGRESS become CANCELED
	SweepDelete             // every execution and attempt is removed
)

// Job is one state of a job. A *Job is immutable: to change one, copy it and pass the copy to Store.SwapJob. Stores keep it
// as JSON with these tags.
type Job struct {
	Row     int64  `json:"-"` // the store's number of the job, never reused: two jobs with the same ID differ in it
	ID      string `json:"id,omitempty"`
	Version int64  `json:"version,omitempty"` // of this record; grows by one on every SwapJob, begins at 1

	Status        JobStatus `json:"status,omitempty"`
	Selection     Selection `json:"selection,omitempty"`
	Targets       []Target  `json:"targets,omitempty"`
	ForceCanceled bool      `json:"forceCanceled,omitempty"`
	ReasonCode    string    `json:"reasonCode,omitempty"`
	Comment       string    `json:"comment,omitempty"`
	Description   string    `json:"description,omitempty"`
	NamespaceID   string    `json:"namespaceId,omitempty"`
	TemplateARN   string    `json:"jobTemplateArn,omitempty"` // the job template it was made from

	DocumentSource     string              `json:"documentSource,omitempty"`
	DocumentParameters map[string]string   `json:"documentParameters,omitempty"`
	Presign            *PresignedURLConfig `json:"presign,omitempty"`
	Rollout            *RolloutConfig      `json:"rollout,omitempty"`
	Abort              *AbortConfig        `json:"abort,omitempty"`
	Timeout            *TimeoutConfig      `json:"timeout,omitempty"`
	Retry              *RetryConfig        `json:"retry,omitempty"`
	Scheduling         *SchedulingConfig   `json:"scheduling,omitempty"`

	RetryOf *RetryOf `json:"retryOf,omitempty"` // the failed executions of another job, if this job retries them
	Filling bool     `json:"filling,omitempty"` // its group is being filled; the rollout waits for it (RetryStore.FillJob)

	CreatedAt   time.Time `json:"createdAt,omitzero"`
	UpdatedAt   time.Time `json:"updatedAt,omitzero"`
	CompletedAt time.Time `json:"completedAt,omitzero"` // zero until the job has ended

	Stopped bool  `json:"stopped,omitempty"` // the rollout has stopped: no further executions are queued
	Ended   bool  `json:"ended,omitempty"`   // the schedule's end time has been handled
	Sweep   Sweep `json:"sweep,omitempty"`   // pending work on its executions
}

// Pending reports whether devices may still have to execute the job.
func (j *Job) Pending() bool { return j.Status == JobScheduled || j.Status == JobInProgress }

// Queues reports whether new executions may be created: by the rollout, by joining a group, or by a retry.
func (j *Job) Queues() bool { return j.Pending() && !j.Stopped && j.Sweep == SweepNone && !j.Filling }

// Concurrent reports whether executions are being rolled out or canceled (AWS.md §5, isConcurrent).
func (j *Job) Concurrent(p *Progress) bool {
	rolling := j.Status == JobInProgress && (j.Queues() || j.Filling) && !p.Done
	canceling := (j.Sweep == SweepCancelQueued || j.Sweep == SweepCancelAll) && !p.Swept
	return rolling || canceling
}

// Retries reports whether a failed execution may be queued again. Not after an end time that cancels queued executions:
// nothing would cancel the new one.
func (j *Job) Retries() bool {
	return j.Pending() && j.Sweep == SweepNone && (!j.Ended || j.Scheduling.EndSweep() == SweepNone)
}

// Retried counts earlier attempts, which a job's counts omit: there a thing counts once, by its latest attempt.
type Retried struct {
	Failed   int64 `json:"f,omitempty"` // attempts that FAILED and were followed by another
	TimedOut int64 `json:"t,omitempty"` // those that TIMED_OUT
	Things   int64 `json:"n,omitempty"` // things that have executed an earlier attempt, but not their latest
}

// Add counts an applied swap; for engines.
func (r *Retried) Add(w *Swap) {
	if w.Next == nil {
		if w.Old.Retry > 0 && w.New.Status.Executed() {
			r.Things--
		}
		return
	}
	if w.New.Status == TimedOut {
		r.TimedOut++
	} else {
		r.Failed++
	}
	if w.Old.Retry == 0 {
		r.Things++
	}
}

// Merge adds o to r.
func (r *Retried) Merge(o *Retried) {
	r.Failed += o.Failed
	r.TimedOut += o.TimedOut
	r.Things += o.Things
}

// Progress is a job's progress so far. The store keeps it beside the job and changes it in the same transaction as the
// executions it counts.
type Progress struct {
	Counts   Counts    // executions by status; a thing counts once, by its latest execution
	Notified int64     // executions that the rollout has queued
	Chunks   int64     // rollout chunks done; a chunk names the number it follows (QueueChunk.After)
	Started  bool      // the rollout has begun
	Done     bool      // the rollout has passed every target
	Swept    bool      // the job's Sweep has passed every execution
	Target   int       // index of the target that the rollout is at
	Pace     time.Time // the time up to which the rollout rate is used up

	Retried Retried // set only to plan a job with retries and abort rules; see JobStore.Retried
}

// Settings returns the configurations that the job shares with a template.
func (j *Job) Settings() Settings { return Settings{j.Presign, j.Rollout, j.Abort, j.Timeout, j.Retry} }

// Role returns the ARN of the role that signs the job's URLs; "" if none does.
func (j *Job) Role() string {
	if j.Presign == nil {
		return ""
	}
	return j.Presign.RoleARN
}

// Expires returns the lifetime of the job's URLs.
func (j *Job) Expires() time.Duration {
	if j.Presign == nil || j.Presign.ExpiresInSec == 0 {
		return DefaultExpiresInSec * time.Second
	}
	return time.Duration(j.Presign.ExpiresInSec) * time.Second
}
