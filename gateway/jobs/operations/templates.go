package operations

import (
	"context"
	"errors"
	"time"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/plan"
)

// CreateTemplate answers CreateJobTemplate.
func (s *Service) CreateTemplate(ctx context.Context, now time.Time, r jobs.CreateTemplateRequest) (jobs.TemplateDetail, error) {
	t, err := s.newTemplate(ctx, jobs.Stored(now), &r)
	if err != nil {
		return jobs.TemplateDetail{}, err
	}
	err = s.store.CreateTemplate(ctx, *t, r.Tags)
	if errors.Is(err, jobs.ErrAlreadyExists) {
		return jobs.TemplateDetail{}, exists(jobs.ErrConflict, s.names.TemplateARN(r.ID), r.ID, "Job template %s already exists.", r.ID)
	}
	if err != nil {
		return jobs.TemplateDetail{}, err
	}
	return jobs.TemplateDetail{JobTemplate: *t, ARN: s.names.TemplateARN(t.ID)}, nil
}

// newTemplate builds a template from a request, or from the job that it names.
func (s *Service) newTemplate(ctx context.Context, now time.Time, r *jobs.CreateTemplateRequest) (*jobs.JobTemplate, error) {
	if len(r.PackageVersions) > 0 {
		return nil, errNoPackages
	}
	if len(r.Tags) > jobs.MaxTags {
		return nil, jobs.Errorf(jobs.ErrInvalidRequest, "A job template has at most %d tags.", jobs.MaxTags)
	}
	t := &jobs.JobTemplate{
		ID: r.ID, Description: r.Description, DocumentSource: r.DocumentSource, CreatedAt: now,
		MaintenanceWindows: r.MaintenanceWindows,
	}
	settings := r.Settings
	var err error
	if r.JobARN != "" {
		if settings, err = s.takeFromJob(ctx, t, r); err != nil {
			return nil, err
		}
	}
	if t.Document == "" {
		if t.Document, err = s.loadDocument(ctx, r.Document, r.DocumentSource); err != nil {
			return nil, err
		}
	}
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	if _, err := plan.ValidateSchedule(withWindows(nil, t.MaintenanceWindows), now); err != nil {
		return nil, err
	}
	if err := s.signDocument(ctx, t.Document, settings.Presign); err != nil {
		return nil, err
	}
	t.Presign, t.Rollout, t.Abort, t.Timeout, t.Retry = settings.Presign, settings.Rollout, settings.Abort, settings.Timeout, settings.Retry
	return t, nil
}

// takeFromJob fills t's missing members from the request's job.
func (s *Service) takeFromJob(ctx context.Context, t *jobs.JobTemplate, r *jobs.CreateTemplateRequest) (jobs.Settings, error) {
	res, err := s.names.Parse(r.JobARN)
	if err != nil {
		return jobs.Settings{}, err
	}
	if res.Kind != jobs.KindJob {
		return jobs.Settings{}, jobs.Errorf(jobs.ErrInvalidRequest, "jobArn is not a job's: %s", r.JobARN)
	}
	j, err := s.store.Job(ctx, res.Name)
	if err != nil {
		return jobs.Settings{}, err
	}
	if r.Document == "" && r.DocumentSource == "" {
		t.DocumentSource = j.DocumentSource
		if t.Document, err = s.store.JobDocument(ctx, j.ID); err != nil {
			return jobs.Settings{}, err
		}
	}
	if t.MaintenanceWindows == nil && j.Scheduling != nil {
		t.MaintenanceWindows = j.Scheduling.MaintenanceWindows
	}
	return r.Settings.WithDefaults(j.Settings()), nil
}

// DescribeTemplate answers DescribeJobTemplate.
func (s *Service) DescribeTemplate(ctx context.Context, id string) (jobs.TemplateDetail, error) {
	t, err := s.store.Template(ctx, id)
	if err != nil {
		return jobs.TemplateDetail{}, err
	}
	return jobs.TemplateDetail{JobTemplate: t, ARN: s.names.TemplateARN(id)}, nil
}

// ListTemplates answers ListJobTemplates, by id.
func (s *Service) ListTemplates(ctx context.Context, p jobs.Page) ([]jobs.TemplateDetail, string, error) {
	templates, next, err := s.store.Templates(ctx, p)
	list := make([]jobs.TemplateDetail, len(templates))
	for i, t := range templates {
		list[i] = jobs.TemplateDetail{JobTemplate: t, ARN: s.names.TemplateARN(t.ID)}
	}
	return list, next, err
}

// DeleteTemplate answers DeleteJobTemplate.
func (s *Service) DeleteTemplate(ctx context.Context, id string) error {
	return s.store.DeleteTemplate(ctx, id)
}
