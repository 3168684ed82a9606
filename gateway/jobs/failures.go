package jobs

import "context"

// FailureStore finds a job's failed executions. As elsewhere, a thing's latest execution counts.
type FailureStore interface {
	// Failures lists a job's executions that failed in a stable order.
	Failures(ctx context.Context, jobID string, q FailureQuery, p Page) (failed []Execution, next string, err error)
	// CountFailures returns how many executions Failures lists.
	CountFailures(ctx context.Context, jobID string, q FailureQuery) (int64, error)
	// Reasons adds up a job's failures by status and reason, the most frequent first, at most limit of them.
	Reasons(ctx context.Context, jobID string, q FailureQuery, limit int) ([]ReasonCount, error)
}

// FailureQuery selects failures; zero members match all.
type FailureQuery struct {
	Statuses []Status // some of Failures; none: all of them
	ByReason bool     // Reason is set
	Reason   string   // exactly this Execution.Reason; "": those without one
}

// Failures are the states of an execution that failed.
func Failures() []Status { return []Status{Failed, TimedOut, Rejected} }

// ReasonCount is how many executions ended with a status and a reason.
type ReasonCount struct {
	Status Status
	Reason string
	Count  int64
}
