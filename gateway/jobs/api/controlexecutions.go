package api

import (
	"jobgate/gateway/jobs"
)

var executionHandlers = map[string]handler{
	"ListJobExecutionsForJob": listExecutionsForJob, "ListJobExecutionsForThing": listExecutionsForThing,
	"DescribeJobExecution": describeExecution, "CancelJobExecution": cancelExecution, "DeleteJobExecution": deleteExecution,
}

// executionList is the output of both listings of executions.
type executionList struct {
	Summaries []listedExecution `json:"executionSummaries"`
	NextToken string            `json:"nextToken,omitempty"`
}

func (q *call) executionQuery() jobs.ExecutionQuery {
	status, given := jobs.ParseStatus(q.in.text("status"))
	query := jobs.ExecutionQuery{Status: status, ByStatus: given}
	if q.operation.name == "ListJobExecutionsForThing" {
		query.JobID, query.NamespaceID = q.in.text("jobId"), q.in.text("namespaceId")
	}
	return query
}

func listExecutionsForJob(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	list, cursor, err := c.service.ListExecutionsForJob(q.ctx, q.in.text("jobId"), q.executionQuery(), p)
	if err != nil {
		return nil, err
	}
	answer := executionList{Summaries: make([]listedExecution, len(list)), NextToken: c.tokens.token(q, cursor)}
	for i := range list {
		answer.Summaries[i] = listedExecution{ThingARN: list[i].ThingARN, Summary: executionSummaryOf(&list[i])}
	}
	return answer, nil
}

func listExecutionsForThing(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	list, cursor, err := c.service.ListExecutionsForThing(q.ctx, q.in.text("thingName"), q.executionQuery(), p)
	if err != nil {
		return nil, err
	}
	answer := executionList{Summaries: make([]listedExecution, len(list)), NextToken: c.tokens.token(q, cursor)}
	for i := range list {
		answer.Summaries[i] = listedExecution{JobID: list[i].Job.ID, Summary: executionSummaryOf(&list[i])}
	}
	return answer, nil
}

// executionAnswer is DescribeJobExecution's output.
type executionAnswer struct {
	Execution execution `json:"execution"`
}

func describeExecution(c *Control, q *call) (any, error) {
	if q.in.has("executionNumber") && q.in.long("executionNumber") < 1 {
		return nil, errExecutionNumber
	}
	e, err := c.service.Execution(q.ctx, q.in.text("thingName"), q.in.text("jobId"), q.in.long("executionNumber"))
	if err != nil {
		return nil, err
	}
	return executionAnswer{executionOf(&e, q.now)}, nil
}

var errExecutionNumber = invalidRequest("executionNumber must be at least 1.")

func cancelExecution(c *Control, q *call) (any, error) {
	details := q.in.pairs("statusDetails")
	if len(details) > maxStatusDetails {
		return nil, tooManyDetails(len(details))
	}
	return nil, c.service.CancelExecution(q.ctx, q.now, jobs.CancelExecutionRequest{
		Thing: q.in.text("thingName"), JobID: q.in.text("jobId"), Force: q.in.flag("force", false),
		ExpectedVersion: q.in.expectedVersion(), Details: details,
	})
}

func deleteExecution(c *Control, q *call) (any, error) {
	number := q.in.long("executionNumber")
	if number < 1 {
		return nil, errExecutionNumber
	}
	return nil, c.service.DeleteExecution(q.ctx, q.now, jobs.DeleteExecutionRequest{
		Thing: q.in.text("thingName"), JobID: q.in.text("jobId"), NamespaceID: q.in.text("namespaceId"), Number: number,
		Force: q.in.flag("force", false),
	})
}
