package jobs

import (
	"time"

	"jobgate/gateway/jobdoc"
)

// PendingExecutions is the answer to GetPendingJobExecutions, each list in the order of Execution.Before.
type PendingExecutions struct {
	InProgress []Execution
	Queued     []Execution
}

// Namespace picks among a thing's executions by their job's namespace, as AWS's topics of a namespace do. The zero
// Namespace picks all of them.
type Namespace struct {
	ID   string // "" with Only: jobs without a namespace
	Only bool
}

// Has says whether a job is one of n's.
func (n Namespace) Has(j *Job) bool { return !n.Only || j.NamespaceID == n.ID }

// StartNextRequest asks for the next pending execution to be started.
type StartNextRequest struct {
	Thing       string
	Details     map[string]string // set if the execution is started now, not if it runs already
	StepMinutes int64             // step timer, 1..10080; 0 = none
	Namespace   Namespace
	Before      Before
}

// DescribeExecutionRequest asks for one execution as its device sees it.
type DescribeExecutionRequest struct {
	Thing     string
	JobID     string // "$next" is the next pending one
	Number    int64  // 0 = the latest
	Document  bool   // fill Described.Document
	Namespace Namespace
}

// Next is the JobID that stands for the next pending execution (AWS.md §4).
const Next = "$next"

// UpdateExecutionRequest is a device's report.
type UpdateExecutionRequest struct {
	Thing           string
	JobID           string
	Number          int64 // 0 = the latest
	Status          Status
	Details         map[string]string // nil leaves them as they are
	ExpectedVersion int64             // 0 = any, see NoVersion
	StepMinutes     int64             // 1..10080 sets the step timer, -1 stops it, 0 leaves it
	Document        bool              // fill Described.Document
	Namespace       Namespace
	Before          Before
}

// Before is called with what an operation is about to store and answer, and before it does. An error from it is the
// operation's error, and leaves everything as it was: this is where a document is rendered, so that a URL that cannot
// be signed starts nothing. It may be called again when another change came between.
type Before func(*Described) error

// Described is an execution with the document its device is to have.
type Described struct {
	Execution Execution
	Document  Document
}

// Document is a job's document, compiled, ready to be rendered for a thing. Its literal text is escaped already to
// stand in a JSON string.
type Document struct {
	Template *jobdoc.Template // nil: not asked for
	RoleARN  string           // who signs; "" = nobody has to
	Expires  time.Duration    // for how long a URL is good
}
