package control

import (
	"jobgate/gateway/jobs"
)

// ownHandlers implement the operations that AWS does not have (model/own.txt): questions about a job that need one call per
// device in AWS's API, or have no answer there.
var ownHandlers = map[string]handler{
	"ListJobFailures": listFailures, "CheckDocument": checkDocument,
	"GetJobProgress": getProgress, "RetryJob": retryJob,
}

// failureList is ListJobFailures' output.
type failureList struct {
	Failures  []failure     `json:"failures"`
	Reasons   []reasonCount `json:"reasons,omitempty"` // on the first page only
	NextToken string        `json:"nextToken,omitempty"`
}

type failure struct {
	ThingName string            `json:"thingName"`
	Status    string            `json:"status"`
	Number    int64             `json:"executionNumber"`
	Reason    string            `json:"reason,omitempty"`
	Details   map[string]string `json:"statusDetails,omitempty"`
	UpdatedAt epoch             `json:"lastUpdatedAt"`
}

type reasonCount struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// maxReasons bounds the reasons returned: with more, each device has its own.
const maxReasons = 50

// failureQuery returns the query for an operation's status and reason; a reason of "" selects failures without one.
func (q *call) failureQuery() jobs.FailureQuery {
	query := jobs.FailureQuery{ByReason: q.in.Has("reason"), Reason: q.in.Text("reason")}
	if status, given := jobs.ParseStatus(q.in.Text("status")); given {
		query.Statuses = []jobs.Status{status}
	}
	return query
}

func listFailures(c *Plane, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	query := q.failureQuery()
	list, cursor, err := c.service.ListFailures(q.ctx, q.in.Text("jobId"), query, p)
	if err != nil {
		return nil, err
	}
	answer := failureList{Failures: make([]failure, len(list)), NextToken: c.tokens.token(q, cursor)}
	for i := range list {
		e := &list[i]
		answer.Failures[i] = failure{e.Thing, e.Status.String(), e.Number, e.Reason(), e.Details.Map(), epoch{e.UpdatedAt}}
	}
	if p.After != "" {
		return answer, nil
	}
	counts, err := c.service.FailureReasons(q.ctx, q.in.Text("jobId"), query, maxReasons)
	for _, r := range counts {
		answer.Reasons = append(answer.Reasons, reasonCount{r.Status.String(), r.Reason, r.Count})
	}
	return answer, err
}

// documentProblems is CheckDocument's output.
type documentProblems struct {
	Problems []problem `json:"problems"`
}

type problem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

func checkDocument(c *Plane, q *call) (any, error) {
	found, err := c.service.CheckDocument(q.in.Text("document"), q.in.Text("roleArn"))
	answer := documentProblems{make([]problem, len(found))}
	for i, p := range found {
		answer.Problems[i] = problem(p)
	}
	return answer, err
}

// progressList is GetJobProgress' output.
type progressList struct {
	Progress []progressSample `json:"progress"`
}

type progressSample struct {
	Time       epoch            `json:"time"`
	Executions map[string]int64 `json:"executions"` // by status, those that are not 0
}

func getProgress(c *Plane, q *call) (any, error) {
	list, err := c.service.ProgressOverTime(q.ctx, q.now, q.in.Text("jobId"))
	answer := progressList{make([]progressSample, len(list))}
	for i := range list {
		answer.Progress[i] = progressSample{epoch{list[i].At}, list[i].Counts.ByName()}
	}
	return answer, err
}

// retried is RetryJob's output; a dry run sets things only.
type retried struct {
	JobARN string `json:"jobArn,omitempty"`
	JobID  string `json:"jobId,omitempty"`
	Group  string `json:"thingGroupName,omitempty"`
	Things int64  `json:"things"`
}

func retryJob(c *Plane, q *call) (any, error) {
	r := jobs.RetryJobRequest{
		ID: q.in.Text("failedJobId"), NewID: q.in.Text("jobId"), DryRun: q.in.Flag("dryRun", false),
		Failures: jobs.FailureQuery{ByReason: q.in.Has("reason"), Reason: q.in.Text("reason")},
	}
	for _, name := range q.in.Texts("statuses") {
		status, _ := jobs.ParseStatus(name) // checked
		r.Failures.Statuses = append(r.Failures.Statuses, status)
	}
	made, err := c.service.RetryJob(q.ctx, q.now, r)
	return retried{made.ARN, made.ID, made.Group, made.Things}, err
}
