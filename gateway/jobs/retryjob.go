package jobs

import (
	"context"
	"slices"
	"strings"
	"time"
)

// RetryStore makes jobs of what failed of others.
type RetryStore interface {
	// RetryJob adds a job (Version 1) whose RetryOf is given but for Row and Things, with its document, and with a group of
	// its own as its target. FillJob fills the group: until it has, the job is Filling. If there is such a job already,
	// made by the same request, it is returned and made is false; any other of its ID, or a group of that name, is
	// ErrAlreadyExists. Nothing that failed is ErrInvalidRequest.
	RetryJob(ctx context.Context, n NewRetry) (j *Job, made bool, err error)
	// FillJob puts the next things of a job's RetryOf into its group, and saves how far it came; the last chunk ends
	// Filling. Things that were deleted are left out. It returns what joining the group did to other jobs, and the job as
	// it is now.
	FillJob(ctx context.Context, c FillChunk) (MemberResult, *Job, error)
}

// NewRetry is what RetryJob stores.
type NewRetry struct {
	Job      Job
	Document string
	Group    Group
}

// FillChunk asks for up to Limit executions that failed to be looked at.
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
	Things   int64    `json:"things"`           // how many had failed when the job was made
}

// Failures is the query for them.
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

// Same says whether o asks for the same. Rows differ if one of the other jobs took the ID of one that was deleted; 0 is
// any.
func (r *RetryOf) Same(o *RetryOf) bool {
	if r == nil || o == nil || r.JobID != o.JobID || !slices.Equal(r.Statuses, o.Statuses) || (r.Reason == nil) != (o.Reason == nil) {
		return false
	}
	return (r.Reason == nil || *r.Reason == *o.Reason) && (r.Row == 0 || o.Row == 0 || r.Row == o.Row)
}

// RetryJobRequest asks for a new job for the things whose latest execution of a job failed.
type RetryJobRequest struct {
	ID       string // the job of which something failed
	NewID    string // the job to be made; may be "" with DryRun
	Failures FailureQuery
	DryRun   bool // count the things, make nothing
}

// Retrial is what a RetryJobRequest leads to.
type Retrial struct {
	JobRef
	Group  string
	Things int64
}

// RetryGroup is the name of the group that is made for a job that retries what failed of another.
func RetryGroup(jobID string) string { return "jobgate-retry-" + jobID }

// RetryGroupExists says that there is a group where a retry wants its own.
func RetryGroupExists(jobID string) error {
	return Errorf(ErrAlreadyExists, "Thing group %s already exists, of an earlier job perhaps: delete it, or choose another jobId.", RetryGroup(jobID))
}

// NothingToRetry says that nothing failed of what was asked for.
func NothingToRetry(of *RetryOf) error {
	what := strings.Join(of.Statuses, " or ")
	if of.Reason != nil {
		return Errorf(ErrInvalidRequest, "There is nothing to retry: of job %s no thing's latest execution is %s with the reason %q.", of.JobID, what, *of.Reason)
	}
	return Errorf(ErrInvalidRequest, "There is nothing to retry: of job %s no thing's latest execution is %s.", of.JobID, what)
}
