package jobs

import (
	"context"
	"slices"
	"strings"
	"time"
)

// RetryStore creates jobs that retry the failed executions of others.
type RetryStore interface {
	// RetryJob adds a job (Version 1) with its document and with a new group as its target. n.RetryOf is set except for Row
	// and Things. The job is Filling until FillJob has filled the group. If the same request has already created the job,
	// RetryJob returns that and made is false; another job with its ID, or a group with that name, is ErrAlreadyExists. If
	// nothing has failed, the error is ErrInvalidRequest.
	RetryJob(ctx context.Context, n NewRetry) (j *Job, made bool, err error)
	// FillJob adds the next things of a job's RetryOf to its group, and saves its progress; the last chunk ends Filling.
	// Deleted things are skipped. It returns the effect on other jobs, and the job's new state.
	FillJob(ctx context.Context, c FillChunk) (MemberResult, *Job, error)
}

// NewRetry is what RetryJob stores.
type NewRetry struct {
	Job      Job
	Document string
	Group    Group
}

// FillChunk asks for up to Limit failed executions to be handled.
type FillChunk struct {
	JobID string
	Limit int
	Now   time.Time
}

// RetryOf says what a job retries: the things whose latest execution of another job failed.
type RetryOf struct {
	JobID    string   `json:"job"`
	Row      int64    `json:"row"`              // the other job's
	Statuses []string `json:"statuses"`         // of Failures, in their order
	Reason   *string  `json:"reason,omitempty"` // nil: any
	Things   int64    `json:"things"`           // how many had failed when the job was created
}

// Failures returns the query for these things.
func (r *RetryOf) Failures() (q FailureQuery) {
	for _, name := range r.Statuses {
		if status, ok := ParseStatus(name); ok {
			q.Statuses = append(q.Statuses, status)
		}
	}
	if r.Reason != nil {
		q.ByReason, q.Reason = true, *r.Reason
	}
	return q
}

// Same reports whether o retries the same failures. Rows differ if a new job has the ID of a deleted one; 0 matches any.
func (r *RetryOf) Same(o *RetryOf) bool {
	if r == nil || o == nil || r.JobID != o.JobID || !slices.Equal(r.Statuses, o.Statuses) || (r.Reason == nil) != (o.Reason == nil) {
		return false
	}
	return (r.Reason == nil || *r.Reason == *o.Reason) && (r.Row == 0 || o.Row == 0 || r.Row == o.Row)
}

// RetryJobRequest asks for a new job for the things whose latest execution of a job failed.
type RetryJobRequest struct {
	ID       string // the job with failed executions
	NewID    string // the job to create; may be "" with DryRun
	Failures FailureQuery
	DryRun   bool // count the things, create nothing
}

// RetryJobResult is the result of a RetryJobRequest.
type RetryJobResult struct {
	JobRef
	Group  string
	Things int64
}

// RetryGroup returns the name of the group created for a job that retries another's failures.
func RetryGroup(jobID string) string { return "jobgate-retry-" + jobID }

// RetryGroupExists is the error if a retry's group already exists.
func RetryGroupExists(jobID string) error {
	return Errorf(ErrAlreadyExists, "Thing group %s already exists, perhaps from an earlier job: delete it, or choose another jobId.", RetryGroup(jobID))
}

// NothingToRetry is the error if no execution matches.
func NothingToRetry(of *RetryOf) error {
	what := strings.Join(of.Statuses, " or ")
	if of.Reason != nil {
		return Errorf(ErrInvalidRequest, "There is nothing to retry: job %s has no thing whose latest execution is %s with the reason %q.", of.JobID, what, *of.Reason)
	}
	return Errorf(ErrInvalidRequest, "There is nothing to retry: job %s has no thing whose latest execution is %s.", of.JobID, what)
}
