package operations

import (
	"context"

	"jobgate/gateway/jobs"
)

// TagResource answers TagResource, for jobs, job templates and thing groups.
func (s *Service) TagResource(ctx context.Context, arn string, tags []jobs.Tag) error {
	r, err := s.taggable(ctx, arn)
	if err != nil {
		return err
	}
	return s.store.SetTags(ctx, r, tags)
}

// UntagResource answers UntagResource.
func (s *Service) UntagResource(ctx context.Context, arn string, keys []string) error {
	r, err := s.taggable(ctx, arn)
	if err != nil {
		return err
	}
	return s.store.RemoveTags(ctx, r, keys)
}

// ListTags answers ListTagsForResource, by key.
func (s *Service) ListTags(ctx context.Context, arn string) ([]jobs.Tag, error) {
	r, err := s.taggable(ctx, arn)
	if err != nil {
		return nil, err
	}
	return s.store.Tags(ctx, r)
}

// taggable returns the existing resource of an ARN, if it can have tags.
func (s *Service) taggable(ctx context.Context, arn string) (jobs.Resource, error) {
	r, err := s.names.Parse(arn)
	if err != nil {
		return jobs.Resource{}, err
	}
	switch {
	case r.Kind == jobs.KindJob:
		_, err = s.store.Job(ctx, r.Name)
	case r.Kind == jobs.KindGroup:
		_, err = s.store.Group(ctx, r.Name)
	case r.Kind == jobs.KindTemplate && !r.Managed:
		_, err = s.store.Template(ctx, r.Name)
	default:
		err = jobs.Errorf(jobs.ErrInvalidRequest, "Tags are for jobs, job templates and thing groups, not for %s", arn)
	}
	return r.Resource, err
}
