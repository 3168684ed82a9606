package jobs

import (
	"context"
	"errors"
	"time"
)

// CreateJob answers CreateJob. It returns once the job is on disk; the first chunk of its executions is queued by then
// too, the others follow.
func (s *Service) CreateJob(ctx context.Context, now time.Time, r CreateJobRequest) (JobRef, error) {
	now = stored(now)
	j, document, err := s.newJob(ctx, now, &r)
	if err != nil {
		return JobRef{}, err
	}
	made, err := s.store.CreateJob(ctx, NewJob{Job: *j, Document: document, Tags: r.Tags})
	if errors.Is(err, ErrAlreadyExists) {
		exists := Errorf(ErrAlreadyExists, "Job %s already exists.", r.ID)
		exists.ResourceARN, exists.ResourceID = s.names.JobARN(r.ID), r.ID
		return JobRef{}, exists
	}
	if err != nil {
		return JobRef{}, err
	}
	s.forget(made.ID)
	s.publishJob(EventJobCreated, made, &Counts{}, now)
	s.begin(ctx, now, made.ID)
	return s.ref(made), nil
}

func (s *Service) ref(j *Job) JobRef {
	return JobRef{ARN: s.names.JobARN(j.ID), ID: j.ID, Description: j.Description}
}

// newJob forms a job and its document from a request.
func (s *Service) newJob(ctx context.Context, now time.Time, r *CreateJobRequest) (*Job, string, error) {
	targets, err := s.names.targets(r.Targets)
	if err != nil {
		return nil, "", err
	}
	if len(r.PackageVersions) > 0 {
		return nil, "", errNoPackages
	}
	if len(r.Tags) > MaxTags {
		return nil, "", Errorf(ErrInvalidRequest, "A job has at most %d tags.", MaxTags)
	}
	from, err := s.templateFor(ctx, r)
	if err != nil {
		return nil, "", err
	}
	settings := r.Settings.withDefaults(from.settings)
	if err := settings.validate(); err != nil {
		return nil, "", err
	}
	scheduling := withWindows(r.Scheduling, from.windows)
	sched, err := validateSchedule(scheduling, now)
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
	j := &Job{
		ID: r.ID, Version: 1, Status: JobInProgress, Selection: r.Selection, Targets: targets,
		Description: r.Description, NamespaceID: r.NamespaceID, TemplateARN: r.TemplateARN,
		DocumentSource: source, DocumentParameters: r.DocumentParameters,
		Presign: settings.Presign, Rollout: settings.Rollout, Abort: settings.Abort,
		Timeout: settings.Timeout, Retry: settings.Retry, Scheduling: scheduling,
		CreatedAt: now, UpdatedAt: now,
	}
	if j.Selection == 0 {
		j.Selection = Snapshot
	}
	if j.Description == "" {
		j.Description = from.description
	}
	if open, _ := sched.open(now); !open {
		j.Status = JobScheduled
	}
	return j, document, nil
}

// errNoPackages refuses the software package catalog, which is a service of its own.
var errNoPackages = Errorf(ErrInvalidRequest, "destinationPackageVersions is not available: there is no software package catalog here.")

// origin is what a job template brings to a job.
type origin struct {
	settings    Settings
	windows     []MaintenanceWindow
	document    string // "" = none: the request brings one
	source      string
	description string
}

// templateFor reads the template that a request names, AWS's or the operator's own.
func (s *Service) templateFor(ctx context.Context, r *CreateJobRequest) (origin, error) {
	if r.TemplateARN == "" {
		if len(r.DocumentParameters) > 0 {
			return origin{}, errNoParameters
		}
		return origin{}, nil
	}
	res, err := s.names.parse(r.TemplateARN)
	if err != nil {
		return origin{}, err
	}
	if res.Kind != KindTemplate {
		return origin{}, Errorf(ErrInvalidRequest, "jobTemplateArn is not a job template's: %s", r.TemplateARN)
	}
	if res.managed {
		return managedOrigin(res.Name, r)
	}
	if len(r.DocumentParameters) > 0 {
		return origin{}, errNoParameters
	}
	t, err := s.store.Template(ctx, res.Name)
	if err != nil {
		return origin{}, err
	}
	return origin{
		settings: t.settings(), windows: t.MaintenanceWindows,
		document: t.Document, source: t.DocumentSource, description: t.Description,
	}, nil
}

// errNoParameters is AWS's rule (AWS.md §5).
var errNoParameters = Errorf(ErrInvalidRequest, "documentParameters can only be used with AWS managed job templates.")

// withWindows returns c with a template's maintenance windows, unless it has its own.
func withWindows(c *SchedulingConfig, windows []MaintenanceWindow) *SchedulingConfig {
	if len(windows) == 0 || (c != nil && len(c.MaintenanceWindows) > 0) {
		return c
	}
	var with SchedulingConfig
	if c != nil {
		with = *c
	}
	with.MaintenanceWindows = windows
	return &with
}
