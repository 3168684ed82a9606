package rules

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/engine"
)

// Spaces of values. For those of tags see tagSpace.
const (
	templates = "template"
	secrets   = "secret"
)

// tagSpace holds a resource's tags by key.
func tagSpace(r jobs.Resource) string { return "tag/" + string(r.Kind) + "/" + r.Name }

// CreateTemplate implements jobs.LabelStore.
func (s *Store) CreateTemplate(ctx context.Context, template jobs.JobTemplate, tags []jobs.Tag) error {
	record, err := json.Marshal(template)
	if err != nil {
		return err
	}
	return s.update(ctx, 1, func(t engine.Tx) error {
		have, err := t.Values(templates, []string{template.ID})
		if err != nil {
			return err
		}
		if len(have) > 0 {
			return jobs.Errorf(jobs.ErrAlreadyExists, "Job template %s already exists.", template.ID)
		}
		if err := t.PutValues([]engine.Value{{Space: templates, Key: template.ID, Value: record}}); err != nil {
			return err
		}
		return setTags(t, jobs.Resource{Kind: jobs.KindTemplate, Name: template.ID}, tags)
	})
}

// findTemplate reads a template.
func findTemplate(r engine.Reader, id string) (t jobs.JobTemplate, err error) {
	values, err := r.Values(templates, []string{id})
	if err != nil {
		return t, err
	}
	if len(values) == 0 {
		return t, noTemplate(id)
	}
	return templateOf(&values[0])
}

func templateOf(v *engine.Value) (t jobs.JobTemplate, err error) {
	if err := json.Unmarshal(v.Value, &t); err != nil {
		return t, fmt.Errorf("record of job template %q: %w", v.Key, err)
	}
	return t, nil
}

// Template implements jobs.LabelStore.
func (s *Store) Template(ctx context.Context, id string) (template jobs.JobTemplate, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		template, err = findTemplate(r, id)
		return err
	})
	return template, err
}

// Templates implements jobs.LabelStore.
func (s *Store) Templates(ctx context.Context, p jobs.Page) (list []jobs.JobTemplate, next string, err error) {
	err = s.view(ctx, func(r engine.Reader) error {
		values, err := r.ListValues(templates, p.After, p.Limit+1)
		if err != nil {
			return err
		}
		values, next = page(values, p.Limit, func(v *engine.Value) string { return v.Key })
		list = make([]jobs.JobTemplate, len(values))
		for i := range values {
			if list[i], err = templateOf(&values[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return list, next, err
}

// DeleteTemplate implements jobs.LabelStore.
func (s *Store) DeleteTemplate(ctx context.Context, id string) error {
	return s.update(ctx, 1, func(t engine.Tx) error {
		if _, err := findTemplate(t, id); err != nil {
			return err
		}
		if err := t.DeleteValues(templates, []string{id}); err != nil {
			return err
		}
		return removeTags(t, jobs.Resource{Kind: jobs.KindTemplate, Name: id})
	})
}

// SetTags implements jobs.LabelStore.
func (s *Store) SetTags(ctx context.Context, r jobs.Resource, tags []jobs.Tag) error {
	return s.update(ctx, 1, func(t engine.Tx) error {
		if err := taggable(t, r); err != nil {
			return err
		}
		return setTags(t, r, tags)
	})
}

// taggable returns an error if a resource does not exist or cannot have tags.
func taggable(t engine.Reader, r jobs.Resource) (err error) {
	switch r.Kind {
	case jobs.KindJob:
		_, _, err = findJob(t, r.Name)
	case jobs.KindGroup:
		_, err = liveGroup(t, r.Name)
	case jobs.KindTemplate:
		_, err = findTemplate(t, r.Name)
	default:
		err = jobs.Errorf(jobs.ErrInvalidRequest, "A %s has no tags.", r.Kind)
	}
	return err
}

func setTags(t engine.Tx, r jobs.Resource, tags []jobs.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	space := tagSpace(r)
	values := make([]engine.Value, len(tags))
	for i, tag := range tags {
		values[i] = engine.Value{Space: space, Key: tag.Key, Value: []byte(tag.Value)}
	}
	if err := t.PutValues(values); err != nil {
		return err
	}
	all, err := t.ListValues(space, "", jobs.MaxTags+1)
	if err == nil && len(all) > jobs.MaxTags {
		err = jobs.Errorf(jobs.ErrLimitExceeded, "A resource has at most %d tags.", jobs.MaxTags)
	}
	return err
}

// RemoveTags implements jobs.LabelStore.
func (s *Store) RemoveTags(ctx context.Context, r jobs.Resource, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return s.update(ctx, 1, func(t engine.Tx) error { return t.DeleteValues(tagSpace(r), keys) })
}

// removeTags removes all tags of a resource.
func removeTags(t engine.Tx, r jobs.Resource) error { return t.DeleteValues(tagSpace(r), nil) }

// Tags implements jobs.LabelStore.
func (s *Store) Tags(ctx context.Context, r jobs.Resource) (tags []jobs.Tag, err error) {
	err = s.view(ctx, func(t engine.Reader) error {
		values, err := t.ListValues(tagSpace(r), "", jobs.MaxTags)
		tags = nil
		for _, v := range values {
			tags = append(tags, jobs.Tag{Key: v.Key, Value: string(v.Value)})
		}
		return err
	})
	return tags, err
}

// Secret implements jobs.SecretStore.
func (s *Store) Secret(ctx context.Context, name string) (secret []byte, err error) {
	read := func(r engine.Reader) error {
		values, err := r.Values(secrets, []string{name})
		secret = nil
		if len(values) > 0 {
			secret = values[0].Value
		}
		return err
	}
	if err := s.view(ctx, read); err != nil || secret != nil {
		return secret, err
	}
	err = s.update(ctx, 1, func(t engine.Tx) error {
		if err := read(t); err != nil || secret != nil {
			return err
		}
		secret = make([]byte, jobs.SecretSize)
		_, _ = rand.Read(secret) // never fails
		return t.PutValues([]engine.Value{{Space: secrets, Key: name, Value: secret}})
	})
	return secret, err
}
