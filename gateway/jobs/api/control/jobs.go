package control

import (
	"jobgate/gateway/jobs"
)

var jobHandlers = map[string]handler{
	"CreateJob": createJob, "DescribeJob": describeJob, "GetJobDocument": getJobDocument, "ListJobs": listJobs,
	"UpdateJob": updateJob, "CancelJob": cancelJob, "DeleteJob": deleteJob, "AssociateTargetsWithJob": associateTargets,
}

// defaultPage is the page size of listings without maxResults.
const defaultPage = 100

// page returns the page that a listing requests.
func (c *Plane) page(q *call) (jobs.Page, error) {
	p := jobs.Page{Limit: defaultPage}
	if q.in.Has("maxResults") {
		p.Limit = int(q.in.Long("maxResults"))
	}
	var err error
	p.After, err = c.tokens.cursor(q)
	return p, err
}

// entries returns the entries of the requested page of a listing, and the token of the next page.
func entries[T, E any](c *Plane, q *call, list func(jobs.Page) ([]T, string, error), entry func(*T) E) ([]E, string, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, "", err
	}
	found, cursor, err := list(p)
	if err != nil {
		return nil, "", err
	}
	all := make([]E, len(found))
	for i := range found {
		all[i] = entry(&found[i])
	}
	return all, c.tokens.token(q, cursor), nil
}

func (q *call) selection() jobs.Selection {
	switch q.in.Text("targetSelection") {
	case jobs.Snapshot.String():
		return jobs.Snapshot
	case jobs.Continuous.String():
		return jobs.Continuous
	}
	return 0
}

func createJob(c *Plane, q *call) (any, error) {
	tags, err := tagsOf(q.in)
	if err != nil {
		return nil, err
	}
	ref, err := c.service.CreateJob(q.ctx, q.now, jobs.CreateJobRequest{
		ID: q.in.Text("jobId"), Targets: q.in.Texts("targets"), Selection: q.selection(),
		Document: q.in.Text("document"), DocumentSource: q.in.Text("documentSource"), DocumentParameters: q.in.Pairs("documentParameters"),
		TemplateARN: q.in.Text("jobTemplateArn"), Description: q.in.Text("description"), NamespaceID: q.in.Text("namespaceId"),
		Scheduling: schedulingOf(q.in), PackageVersions: q.in.Texts("destinationPackageVersions"), Tags: tags, Settings: settingsOf(q.in),
	})
	return refOf(ref), err
}

func describeJob(c *Plane, q *call) (any, error) {
	d, err := c.service.DescribeJob(q.ctx, q.now, q.in.Text("jobId"))
	if err != nil {
		return nil, err
	}
	return describedOf(&d), nil
}

// documentAnswer is GetJobDocument's output.
type documentAnswer struct {
	Document string `json:"document"`
}

// getJobDocument answers with the document with unsigned URLs (AWS.md §1).
func getJobDocument(c *Plane, q *call) (any, error) {
	document, err := c.service.JobDocument(q.ctx, q.in.Text("jobId"), q.in.Flag("beforeSubstitution", false))
	return documentAnswer{document}, err
}

// jobList is ListJobs' output.
type jobList struct {
	Jobs      []jobSummary `json:"jobs"`
	NextToken string       `json:"nextToken,omitempty"`
}

func listJobs(c *Plane, q *call) (any, error) {
	status, _ := jobs.ParseJobStatus(q.in.Text("status")) // checked; 0 is any
	query := jobs.JobQuery{
		Status: status, Selection: q.selection(), GroupName: q.in.Text("thingGroupName"), GroupID: q.in.Text("thingGroupId"),
		NamespaceID: q.in.Text("namespaceId"),
	}
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.JobSummary, string, error) { return c.service.ListJobs(q.ctx, query, p) }, jobSummaryOf)
	return jobList{list, token}, err
}

func updateJob(c *Plane, q *call) (any, error) {
	r := jobs.UpdateJobRequest{ID: q.in.Text("jobId"), NamespaceID: q.in.Text("namespaceId"), Settings: settingsOf(q.in)}
	if q.in.Has("description") {
		description := q.in.Text("description")
		r.Description = &description
	}
	return nil, c.service.UpdateJob(q.ctx, q.now, r)
}

func cancelJob(c *Plane, q *call) (any, error) {
	ref, err := c.service.CancelJob(q.ctx, q.now, jobs.CancelJobRequest{
		ID: q.in.Text("jobId"), ReasonCode: q.in.Text("reasonCode"), Comment: q.in.Text("comment"), Force: q.in.Flag("force", false),
	})
	return refOf(ref), err
}

func deleteJob(c *Plane, q *call) (any, error) {
	return nil, c.service.DeleteJob(q.ctx, q.now, jobs.DeleteJobRequest{
		ID: q.in.Text("jobId"), NamespaceID: q.in.Text("namespaceId"), Force: q.in.Flag("force", false),
	})
}

func associateTargets(c *Plane, q *call) (any, error) {
	ref, err := c.service.AssociateTargets(q.ctx, q.now, jobs.AssociateTargetsRequest{
		ID: q.in.Text("jobId"), NamespaceID: q.in.Text("namespaceId"), Targets: q.in.Texts("targets"), Comment: q.in.Text("comment"),
	})
	return refOf(ref), err
}
