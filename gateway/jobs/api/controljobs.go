package api

import (
	"strings"

	"jobgate/gateway/jobs"
)

var jobHandlers = map[string]handler{
	"CreateJob": createJob, "DescribeJob": describeJob, "GetJobDocument": getJobDocument, "ListJobs": listJobs,
	"UpdateJob": updateJob, "CancelJob": cancelJob, "DeleteJob": deleteJob, "AssociateTargetsWithJob": associateTargets,
}

// defaultPage is how many entries a listing has when maxResults is not given.
const defaultPage = 100

// page returns the page that a listing asks for.
func (c *Control) page(q *call) (jobs.Page, error) {
	p := jobs.Page{Limit: defaultPage}
	if q.in.has("maxResults") {
		p.Limit = int(q.in.long("maxResults"))
	}
	var err error
	p.After, err = c.tokens.cursor(q)
	return p, err
}

// settings returns the configurations that the call gives.
func (q *call) settings() (s jobs.Settings, err error) {
	if s.Presign, err = structure[jobs.PresignedURLConfig](q.in, "presignedUrlConfig"); err != nil {
		return s, err
	}
	if s.Rollout, err = structure[jobs.RolloutConfig](q.in, "jobExecutionsRolloutConfig"); err != nil {
		return s, err
	}
	if s.Abort, err = structure[jobs.AbortConfig](q.in, "abortConfig"); err != nil {
		return s, err
	}
	if s.Timeout, err = structure[jobs.TimeoutConfig](q.in, "timeoutConfig"); err != nil {
		return s, err
	}
	s.Retry, err = structure[jobs.RetryConfig](q.in, "jobExecutionsRetryConfig")
	return s, err
}

// tags returns the tags that the call gives.
func (q *call) tags() ([]jobs.Tag, error) {
	tags, err := structure[[]jobs.Tag](q.in, "tags")
	if tags == nil {
		return nil, err
	}
	seen := make(map[string]bool, len(*tags))
	for _, t := range *tags {
		if seen[t.Key] {
			return nil, invalidRequest("The tag key %s is given twice.", t.Key)
		}
		if len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:") {
			return nil, invalidRequest("The tag key %s is AWS's own: keys of others do not begin with aws:, in whatever case.", t.Key)
		}
		seen[t.Key] = true
	}
	return *tags, err
}

func (q *call) selection() jobs.Selection {
	switch q.in.text("targetSelection") {
	case jobs.Snapshot.String():
		return jobs.Snapshot
	case jobs.Continuous.String():
		return jobs.Continuous
	}
	return 0
}

func createJob(c *Control, q *call) (any, error) {
	shared, err := q.settings()
	if err != nil {
		return nil, err
	}
	tags, err := q.tags()
	if err != nil {
		return nil, err
	}
	scheduling, err := structure[jobs.SchedulingConfig](q.in, "schedulingConfig")
	if err != nil {
		return nil, err
	}
	ref, err := c.service.CreateJob(q.ctx, q.now, jobs.CreateJobRequest{
		ID: q.in.text("jobId"), Targets: q.in.texts("targets"), Selection: q.selection(),
		Document: q.in.text("document"), DocumentSource: q.in.text("documentSource"), DocumentParameters: q.in.pairs("documentParameters"),
		TemplateARN: q.in.text("jobTemplateArn"), Description: q.in.text("description"), NamespaceID: q.in.text("namespaceId"),
		Scheduling: scheduling, PackageVersions: q.in.texts("destinationPackageVersions"), Tags: tags, Settings: shared,
	})
	return refOf(ref), err
}

func describeJob(c *Control, q *call) (any, error) {
	d, err := c.service.DescribeJob(q.ctx, q.now, q.in.text("jobId"))
	if err != nil {
		return nil, err
	}
	return describedOf(&d), nil
}

// documentAnswer is GetJobDocument's output.
type documentAnswer struct {
	Document string `json:"document"`
}

// getJobDocument answers with the document, URLs not signed (AWS.md §1).
func getJobDocument(c *Control, q *call) (any, error) {
	document, err := c.service.JobDocument(q.ctx, q.in.text("jobId"), q.in.flag("beforeSubstitution", false))
	return documentAnswer{document}, err
}

// jobList is ListJobs' output.
type jobList struct {
	Jobs      []jobSummary `json:"jobs"`
	NextToken string       `json:"nextToken,omitempty"`
}

func listJobs(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	status, _ := jobs.ParseJobStatus(q.in.text("status")) // checked; 0 is any
	list, cursor, err := c.service.ListJobs(q.ctx, jobs.JobQuery{
		Status: status, Selection: q.selection(), GroupName: q.in.text("thingGroupName"), GroupID: q.in.text("thingGroupId"),
		NamespaceID: q.in.text("namespaceId"),
	}, p)
	if err != nil {
		return nil, err
	}
	answer := jobList{Jobs: make([]jobSummary, len(list)), NextToken: c.tokens.token(q, cursor)}
	for i := range list {
		answer.Jobs[i] = jobSummaryOf(&list[i])
	}
	return answer, nil
}

func updateJob(c *Control, q *call) (any, error) {
	shared, err := q.settings()
	if err != nil {
		return nil, err
	}
	r := jobs.UpdateJobRequest{ID: q.in.text("jobId"), NamespaceID: q.in.text("namespaceId"), Settings: shared}
	if q.in.has("description") {
		description := q.in.text("description")
		r.Description = &description
	}
	return nil, c.service.UpdateJob(q.ctx, q.now, r)
}

func cancelJob(c *Control, q *call) (any, error) {
	ref, err := c.service.CancelJob(q.ctx, q.now, jobs.CancelJobRequest{
		ID: q.in.text("jobId"), ReasonCode: q.in.text("reasonCode"), Comment: q.in.text("comment"), Force: q.in.flag("force", false),
	})
	return refOf(ref), err
}

func deleteJob(c *Control, q *call) (any, error) {
	return nil, c.service.DeleteJob(q.ctx, q.now, jobs.DeleteJobRequest{
		ID: q.in.text("jobId"), NamespaceID: q.in.text("namespaceId"), Force: q.in.flag("force", false),
	})
}

func associateTargets(c *Control, q *call) (any, error) {
	ref, err := c.service.AssociateTargets(q.ctx, q.now, jobs.AssociateTargetsRequest{
		ID: q.in.text("jobId"), NamespaceID: q.in.text("namespaceId"), Targets: q.in.texts("targets"), Comment: q.in.text("comment"),
	})
	return refOf(ref), err
}
