package control

import (
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/managed"
)

var templateHandlers = map[string]handler{
	"CreateJobTemplate": createTemplate, "DescribeJobTemplate": describeTemplate, "ListJobTemplates": listTemplates,
	"DeleteJobTemplate": deleteTemplate, "ListManagedJobTemplates": listManagedTemplates, "DescribeManagedJobTemplate": describeManagedTemplate,
}

// templateRef is CreateJobTemplate's output.
type templateRef struct {
	ARN string `json:"jobTemplateArn"`
	ID  string `json:"jobTemplateId"`
}

func createTemplate(c *Plane, q *call) (any, error) {
	tags, err := tagsOf(q.in)
	if err != nil {
		return nil, err
	}
	r := jobs.CreateTemplateRequest{
		ID: q.in.Text("jobTemplateId"), JobARN: q.in.Text("jobArn"), Document: q.in.Text("document"),
		DocumentSource: q.in.Text("documentSource"), Description: q.in.Text("description"),
		PackageVersions: q.in.Texts("destinationPackageVersions"), Tags: tags, MaintenanceWindows: windowsOf(q.in), Settings: settingsOf(q.in),
	}
	t, err := c.service.CreateTemplate(q.ctx, q.now, r)
	return templateRef{t.ARN, t.ID}, err
}

// templateDetail is DescribeJobTemplate's output.
type templateDetail struct {
	ARN            string `json:"jobTemplateArn"`
	ID             string `json:"jobTemplateId"`
	Description    string `json:"description,omitempty"`
	DocumentSource string `json:"documentSource,omitempty"`
	Document       string `json:"document,omitempty"`
	CreatedAt      epoch  `json:"createdAt,omitzero"`
	settings
	Windows []jobs.MaintenanceWindow `json:"maintenanceWindows,omitempty"`
}

func describeTemplate(c *Plane, q *call) (any, error) {
	t, err := c.service.DescribeTemplate(q.ctx, q.in.Text("jobTemplateId"))
	if err != nil {
		return nil, err
	}
	return templateDetail{
		ARN: t.ARN, ID: t.ID, Description: t.Description, DocumentSource: t.DocumentSource, Document: t.Document,
		CreatedAt: epoch{t.CreatedAt}, settings: settings{t.Presign, t.Rollout, t.Abort, t.Timeout, t.Retry},
		Windows: t.MaintenanceWindows,
	}, nil
}

// templateSummary is an entry of ListJobTemplates.
type templateSummary struct {
	ARN         string `json:"jobTemplateArn"`
	ID          string `json:"jobTemplateId"`
	Description string `json:"description,omitempty"`
	CreatedAt   epoch  `json:"createdAt,omitzero"`
}

// templateList is ListJobTemplates' output.
type templateList struct {
	Templates []templateSummary `json:"jobTemplates"`
	NextToken string            `json:"nextToken,omitempty"`
}

func listTemplates(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.TemplateDetail, string, error) {
		return c.service.ListTemplates(q.ctx, p)
	}, func(t *jobs.TemplateDetail) templateSummary {
		return templateSummary{t.ARN, t.ID, t.Description, epoch{t.CreatedAt}}
	})
	return templateList{list, token}, err
}

func deleteTemplate(c *Plane, q *call) (any, error) {
	return nil, c.service.DeleteTemplate(q.ctx, q.in.Text("jobTemplateId"))
}

// managedSummary is an entry of ListManagedJobTemplates.
type managedSummary struct {
	ARN          string   `json:"templateArn"`
	Name         string   `json:"templateName"`
	Description  string   `json:"description"`
	Environments []string `json:"environments"`
	Version      string   `json:"templateVersion"`
}

// managedList is ListManagedJobTemplates' output.
type managedList struct {
	Templates []managedSummary `json:"managedJobTemplates"`
	NextToken string           `json:"nextToken,omitempty"`
}

func (c *Plane) managedSummaryOf(t *managed.Template) managedSummary {
	return managedSummary{c.service.Names().ManagedTemplateARN(t.Name, t.Version), t.Name, t.Description, t.Environments, t.Version}
}

func listManagedTemplates(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]managed.Template, string, error) {
		list, cursor := managed.List(q.in.Text("templateName"), p)
		return list, cursor, nil
	}, c.managedSummaryOf)
	return managedList{list, token}, err
}

// managedDetail is DescribeManagedJobTemplate's output.
type managedDetail struct {
	managedSummary
	Parameters []documentParameter `json:"documentParameters"`
	Document   string              `json:"document"`
}

type documentParameter struct {
	Key         string `json:"key"`
	Description string `json:"description"`
	Regex       string `json:"regex"`
	Example     string `json:"example"`
	Optional    bool   `json:"optional"`
}

func describeManagedTemplate(c *Plane, q *call) (any, error) {
	t, err := managed.Find(q.in.Text("templateName"), q.in.Text("templateVersion"))
	if err != nil {
		return nil, err
	}
	answer := managedDetail{managedSummary: c.managedSummaryOf(t), Document: t.Document}
	for _, p := range t.Parameters {
		answer.Parameters = append(answer.Parameters, documentParameter(p))
	}
	return answer, nil
}
