package control

import (
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception"
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
	status, given := jobs.ParseStatus(q.in.Text("status"))
	query := jobs.ExecutionQuery{Status: status, ByStatus: given}
	if q.operation.Name == "ListJobExecutionsForThing" {
		query.JobID, query.NamespaceID = q.in.Text("jobId"), q.in.Text("namespaceId")
	}
	return query
}

func listExecutionsForJob(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.ExecutionSummary, string, error) {
		return c.service.ListExecutionsForJob(q.ctx, q.in.Text("jobId"), q.executionQuery(), p)
	}, func(e *jobs.ExecutionSummary) listedExecution {
		return listedExecution{ThingARN: e.ThingARN, Summary: executionSummaryOf(e)}
	})
	return executionList{list, token}, err
}

func listExecutionsForThing(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.ExecutionSummary, string, error) {
		return c.service.ListExecutionsForThing(q.ctx, q.in.Text("thingName"), q.executionQuery(), p)
	}, func(e *jobs.ExecutionSummary) listedExecution {
		return listedExecution{JobID: e.Job.ID, Summary: executionSummaryOf(e)}
	})
	return executionList{list, token}, err
}

// executionAnswer is DescribeJobExecution's output.
type executionAnswer struct {
	Execution execution `json:"execution"`
}

func describeExecution(c *Plane, q *call) (any, error) {
	if q.in.Has("executionNumber") && q.in.Long("executionNumber") < 1 {
		return nil, errExecutionNumber
	}
	e, err := c.service.Execution(q.ctx, q.in.Text("thingName"), q.in.Text("jobId"), q.in.Long("executionNumber"))
	if err != nil {
		return nil, err
	}
	return executionAnswer{executionOf(&e, q.now)}, nil
}

var errExecutionNumber = exception.InvalidRequest("executionNumber must be at least 1.")

func cancelExecution(c *Plane, q *call) (any, error) {
	details := q.in.Pairs("statusDetails")
	if err := jobs.ValidateDetailsCount(details); err != nil {
		return nil, err
	}
	return nil, c.service.CancelExecution(q.ctx, q.now, jobs.CancelExecutionRequest{
		Thing: q.in.Text("thingName"), JobID: q.in.Text("jobId"), Force: q.in.Flag("force", false),
		ExpectedVersion: q.in.ExpectedVersion(), Details: details,
	})
}

func deleteExecution(c *Plane, q *call) (any, error) {
	number := q.in.Long("executionNumber")
	if number < 1 {
		return nil, errExecutionNumber
	}
	return nil, c.service.DeleteExecution(q.ctx, q.now, jobs.DeleteExecutionRequest{
		Thing: q.in.Text("thingName"), JobID: q.in.Text("jobId"), NamespaceID: q.in.Text("namespaceId"), Number: number,
		Force: q.in.Flag("force", false),
	})
}
