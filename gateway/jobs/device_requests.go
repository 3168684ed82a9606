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

// Buffer returns the array behind both lists, with their executions, for the next request to reuse; nil if it is
// unusually large.
func (p *PendingExecutions) Buffer() []Execution {
	const most = 32
	list := p.InProgress
	if list == nil {
		list = p.Queued
	}
	if cap(list) > most {
		return nil
	}
	return list[:min(cap(list), len(p.InProgress)+len(p.Queued))]
}

// Namespace selects a thing's executions by their job's namespace, as AWS's topics of a namespace do. The zero Namespace
// selects all.
type Namespace struct {
	ID   string // "" with Only: jobs without a namespace
	Only bool
}

// Has reports whether a job is in n.
func (n Namespace) Has(j *Job) bool { return !n.Only || j.NamespaceID == n.ID }

// StartNextRequest asks for the next pending execution to be started.
type StartNextRequest struct {
	Thing       string
	Details     map[string]string // used only if this call starts the execution
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

// Next is the JobID of the next pending execution (AWS.md §4).
const Next = "$next"

// UpdateExecutionRequest is a device's report.
type UpdateExecutionRequest struct {
	Thing           string
	JobID           string
	Number          int64 // 0 = the latest
	Status          Status
	Details         map[string]string // nil: unchanged
	ExpectedVersion int64             // 0 = any, see NoVersion
	StepMinutes     int64             // 1..10080 sets the step timer, -1 stops it, 0 leaves it
	Document        bool              // fill Described.Document
	Namespace       Namespace
	Before          Before
}

// Before is called with what an operation is about to store and answer. If it fails, the operation fails with its error and
// changes nothing. It renders the document, so that an execution does not start if its URLs cannot be signed. It may be
// called again after a conflicting change.
type Before func(*Described) error

// Described is an execution with the document for its device.
type Described struct {
	Execution Execution
	Document  Document
}

// Document is a job's compiled document, ready to be rendered for a thing. Its literal text is already escaped as a JSON
// string.
type Document struct {
	Template *jobdoc.Template // nil: not asked for
	RoleARN  string           // signs the URLs; "" = no URLs to sign
	Expires  time.Duration    // lifetime of a URL
}
