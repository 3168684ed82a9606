package operations

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/managed"
	"jobgate/gateway/jobs/plan"
)

// CreateJob answers CreateJob. It returns once the job is on disk and its first chunk of executions is queued; the others
// follow.
func (s *Service) CreateJob(ctx context.Context, now time.Time, r jobs.CreateJobRequest) (jobs.JobRef, error) {
	now = jobs.Stored(now)
	j, document, err := s.newJob(ctx, now, &r)
	if err != nil {
		return jobs.JobRef{}, err
	}
	made, err := s.store.CreateJob(ctx, jobs.NewJob{Job: *j, Document: document, Tags: r.Tags})
	if errors.Is(err, jobs.ErrAlreadyExists) {
		return jobs.JobRef{}, s.jobExists(r.ID)
	}
	if err != nil {
		return jobs.JobRef{}, err
	}
	s.documents.Forget(made.ID)
	s.publish.Job(jobs.EventJobCreated, made, &jobs.Counts{}, now)
	s.driver.Begin(ctx, now, made.ID)
	return s.ref(made), nil
}

func (s *Service) ref(j *jobs.Job) jobs.JobRef {
	return jobs.JobRef{ARN: s.names.JobARN(j.ID), ID: j.ID, Description: j.Description}
}

// newJob builds a job and its document from a request.
func (s *Service) newJob(ctx context.Context, now time.Time, r *jobs.CreateJobRequest) (*jobs.Job, string, error) {
	targets, err := s.names.Targets(r.Targets)
	if err != nil {
		return nil, "", err
	}
	if len(r.PackageVersions) > 0 {
		return nil, "", errNoPackages
	}
	if len(r.Tags) > jobs.MaxTags {
		return nil, "", jobs.Errorf(jobs.ErrInvalidRequest, "A job has at most %d tags.", jobs.MaxTags)
	}
	from, err := s.templateFor(ctx, r)
	if err != nil {
		return nil, "", err
	}
	settings := r.Settings.WithDefaults(from.settings)
	if err := settings.Validate(); err != nil {
		return nil, "", err
	}
	scheduling := withWindows(r.Scheduling, from.windows)
	sched, err := plan.ValidateSchedule(scheduling, now)
	if err != nil {
		return nil, "", err
	}
	document, source := from.document, from.source
	if document == "" || r.Document != "" || r.DocumentSource != "" {
		source = r.DocumentSource
		if document, err = s.loadDocument(ctx, r.Document, source); err != nil {
			return nil, "", err
		}
	}
	if err := s.signDocument(ctx, document, settings.Presign); err != nil {
		return nil, "", err
	}
	j := &jobs.Job{
		ID: r.ID, Version: 1, Status: jobs.JobInProgress, Selection: r.Selection, Targets: targets,
		Description: r.Description, NamespaceID: r.NamespaceID, TemplateARN: r.TemplateARN,
		DocumentSource: source, DocumentParameters: r.DocumentParameters,
		Presign: settings.Presign, Rollout: settings.Rollout, Abort: settings.Abort,
		Timeout: settings.Timeout, Retry: settings.Retry, Scheduling: scheduling,
		CreatedAt: now, UpdatedAt: now,
	}
	if j.Selection == 0 {
		j.Selection = jobs.Snapshot
	}
	if j.Description == "" {
		j.Description = from.description
	}
	if open, _ := sched.Open(now); !open {
		j.Status = jobs.JobScheduled
	}
	return j, document, nil
}

// errNoPackages rejects the software package catalog, which is a separate AWS service.
var errNoPackages = jobs.Errorf(jobs.ErrInvalidRequest, "destinationPackageVersions is not available: there is no software package catalog here.")

// origin is what a job takes from a template.
type origin struct {
	settings    jobs.Settings
	windows     []jobs.MaintenanceWindow
	document    string // "" = none: the request has one
	source      string
	description string
}

// templateFor reads the template that a request names, AWS's or the operator's.
func (s *Service) templateFor(ctx context.Context, r *jobs.CreateJobRequest) (origin, error) {
	if r.TemplateARN == "" {
		if len(r.DocumentParameters) > 0 {
			return origin{}, errNoParameters
		}
		return origin{}, nil
	}
	res, err := s.names.Parse(r.TemplateARN)
	if err != nil {
		return origin{}, err
	}
	if res.Kind != jobs.KindTemplate {
		return origin{}, jobs.Errorf(jobs.ErrInvalidRequest, "jobTemplateArn is not a job template's: %s", r.TemplateARN)
	}
	if res.Managed {
		return fromManaged(res.Name, r)
	}
	if len(r.DocumentParameters) > 0 {
		return origin{}, errNoParameters
	}
	t, err := s.store.Template(ctx, res.Name)
	if err != nil {
		return origin{}, err
	}
	return origin{
		settings: t.Settings(), windows: t.MaintenanceWindows,
		document: t.Document, source: t.DocumentSource, description: t.Description,
	}, nil
}

// fromManaged returns what the job of r takes from a managed template, named with its version.
func fromManaged(nameAndVersion string, r *jobs.CreateJobRequest) (origin, error) {
	t, err := managed.FindVersion(nameAndVersion)
	if err != nil {
		return origin{}, err
	}
	if r.Document != "" || r.DocumentSource != "" {
		return origin{}, jobs.Errorf(jobs.ErrInvalidRequest, "A job from a managed template takes the template's document.")
	}
	document, err := t.Fill(r.DocumentParameters)
	return origin{document: document, description: t.Description}, err
}

// errNoParameters is AWS's rule (AWS.md §5).
var errNoParameters = jobs.Errorf(jobs.ErrInvalidRequest, "documentParameters can only be used with AWS managed job templates.")

// withWindows returns c with a template's maintenance windows, unless it has its own.
func withWindows(c *jobs.SchedulingConfig, windows []jobs.MaintenanceWindow) *jobs.SchedulingConfig {
	if len(windows) == 0 || (c != nil && len(c.MaintenanceWindows) > 0) {
		return c
	}
	var with jobs.SchedulingConfig
	if c != nil {
		with = *c
	}
	with.MaintenanceWindows = windows
	return &with
}
