package jobs

import (
	"context"
	"errors"
	"time"
)

func (t *JobTemplate) settings() Settings {
	return Settings{t.Presign, t.Rollout, t.Abort, t.Timeout, t.Retry}
}

// CreateTemplate answers CreateJobTemplate.
func (s *Service) CreateTemplate(ctx context.Context, now time.Time, r CreateTemplateRequest) (TemplateDetail, error) {
	t, err := s.newTemplate(ctx, stored(now), &r)
	if err != nil {
		return TemplateDetail{}, err
	}
	err = s.store.CreateTemplate(ctx, *t, r.Tags)
	if errors.Is(err, ErrAlreadyExists) {
		exists := Errorf(ErrConflict, "Job template %s already exists.", r.ID)
		exists.ResourceARN, exists.ResourceID = s.names.TemplateARN(r.ID), r.ID
		return TemplateDetail{}, exists
	}
	if err != nil {
		return TemplateDetail{}, err
	}
	return TemplateDetail{JobTemplate: *t, ARN: s.names.TemplateARN(t.ID)}, nil
}

// newTemplate forms a template from a request, or from the job that it names.
func (s *Service) newTemplate(ctx context.Context, now time.Time, r *CreateTemplateRequest) (*JobTemplate, error) {
	if len(r.PackageVersions) > 0 {
		return nil, errNoPackages
	}
	if len(r.Tags) > MaxTags {
		return nil, Errorf(ErrInvalidRequest, "A job template has at most %d tags.", MaxTags)
	}
	t := &JobTemplate{
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
	if err := settings.validate(); err != nil {
		return nil, err
	}
	if _, err := validateSchedule(withWindows(nil, t.MaintenanceWindows), now); err != nil {
		return nil, err
	}
	if err := s.signDocument(ctx, t.Document, settings.Presign); err != nil {
		return nil, err
	}
	t.Presign, t.Rollout, t.Abort, t.Timeout, t.Retry = settings.Presign, settings.Rollout, settings.Abort, settings.Timeout, settings.Retry
	return t, nil
}

// takeFromJob fills t with what the request does not give and its job has.
func (s *Service) takeFromJob(ctx context.Context, t *JobTemplate, r *CreateTemplateRequest) (Settings, error) {
	res, err := s.names.parse(r.JobARN)
	if err != nil {
		return Settings{}, err
	}
	if res.Kind != KindJob {
		return Settings{}, Errorf(ErrInvalidRequest, "jobArn is not a job's: %s", r.JobARN)
	}
	j, err := s.store.Job(ctx, res.Name)
	if err != nil {
		return Settings{}, err
	}
	if r.Document == "" && r.DocumentSource == "" {
		t.DocumentSource = j.DocumentSource
		if t.Document, err = s.store.JobDocument(ctx, j.ID); err != nil {
			return Settings{}, err
		}
	}
	if t.MaintenanceWindows == nil && j.Scheduling != nil {
		t.MaintenanceWindows = j.Scheduling.MaintenanceWindows
	}
	return r.Settings.withDefaults(Settings{j.Presign, j.Rollout, j.Abort, j.Timeout, j.Retry}), nil
}

// DescribeTemplate answers DescribeJobTemplate.
func (s *Service) DescribeTemplate(ctx context.Context, id string) (TemplateDetail, error) {
	t, err := s.store.Template(ctx, id)
	if err != nil {
		return TemplateDetail{}, err
	}
	return TemplateDetail{JobTemplate: t, ARN: s.names.TemplateARN(id)}, nil
}

// ListTemplates answers ListJobTemplates, by id.
func (s *Service) ListTemplates(ctx context.Context, p Page) ([]TemplateDetail, string, error) {
	templates, next, err := s.store.Templates(ctx, p)
	list := make([]TemplateDetail, len(templates))
	for i, t := range templates {
		list[i] = TemplateDetail{JobTemplate: t, ARN: s.names.TemplateARN(t.ID)}
	}
	return list, next, err
}

// DeleteTemplate answers DeleteJobTemplate.
func (s *Service) DeleteTemplate(ctx context.Context, id string) error {
	return s.store.DeleteTemplate(ctx, id)
}
