package sqlite

import (
	"context"
	"encoding/json"
	"fmt"

	"zombiezen.com/go/sqlite"

	"jobgate/gateway/jobs"
)

// CreateTemplate implements jobs.LabelStore.
func (s *Store) CreateTemplate(ctx context.Context, template jobs.JobTemplate, tags []jobs.Tag) error {
	record, err := json.Marshal(template)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		err := query(t.conn, "INSERT INTO templates (id, record) VALUES (?, ?) ON CONFLICT DO NOTHING", nil, template.ID, string(record))
		if err != nil {
			return err
		}
		if t.conn.Changes() == 0 {
			return jobs.Errorf(jobs.ErrAlreadyExists, "Job template %s already exists.", template.ID)
		}
		return t.setTags(jobs.Resource{Kind: jobs.KindTemplate, Name: template.ID}, tags)
	})
}

func scanTemplate(stmt *sqlite.Stmt) (t jobs.JobTemplate, err error) {
	if err := json.Unmarshal([]byte(stmt.ColumnText(0)), &t); err != nil {
		return t, fmt.Errorf("record of a job template: %w", err)
	}
	return t, nil
}

func noTemplate(id string) error {
	return jobs.Errorf(jobs.ErrNotFound, "Job template %s is not there.", id)
}

// Template implements jobs.LabelStore.
func (s *Store) Template(ctx context.Context, id string) (template jobs.JobTemplate, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		found := false
		err := query(c, "SELECT record FROM templates WHERE id = ?", func(stmt *sqlite.Stmt) (err error) {
			found = true
			template, err = scanTemplate(stmt)
			return err
		}, id)
		if err == nil && !found {
			err = noTemplate(id)
		}
		return err
	})
	return template, err
}

// Templates implements jobs.LabelStore.
func (s *Store) Templates(ctx context.Context, p jobs.Page) (list []jobs.JobTemplate, next string, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT record FROM templates WHERE id > ? ORDER BY id LIMIT ?", func(stmt *sqlite.Stmt) error {
			if len(list) == p.Limit {
				next = list[len(list)-1].ID
				return nil
			}
			t, err := scanTemplate(stmt)
			list = append(list, t)
			return err
		}, p.After, p.Limit+1)
	})
	return list, next, err
}

// DeleteTemplate implements jobs.LabelStore.
func (s *Store) DeleteTemplate(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		if err := query(t.conn, "DELETE FROM templates WHERE id = ?", nil, id); err != nil {
			return err
		}
		if t.conn.Changes() == 0 {
			return noTemplate(id)
		}
		return t.removeTags(jobs.Resource{Kind: jobs.KindTemplate, Name: id}, nil)
	})
}

// SetTags implements jobs.LabelStore.
func (s *Store) SetTags(ctx context.Context, r jobs.Resource, tags []jobs.Tag) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.resource(r); err != nil {
			return err
		}
		return t.setTags(r, tags)
	})
}

// resource says whether something that may have tags is there.
func (t *tx) resource(r jobs.Resource) error {
	var err error
	switch r.Kind {
	case jobs.KindJob:
		_, err = findJob(t.conn, r.Name)
	case jobs.KindGroup:
		_, _, err = group(t.conn, r.Name)
	case jobs.KindTemplate:
		var found bool
		if _, found, err = value(t.conn, "SELECT 1 FROM templates WHERE id = ?", r.Name); err == nil && !found {
			err = noTemplate(r.Name)
		}
	default:
		err = jobs.Errorf(jobs.ErrInvalidRequest, "A %s has no tags.", r.Kind)
	}
	return err
}

func (t *tx) setTags(r jobs.Resource, tags []jobs.Tag) error {
	if len(tags) == 0 {
		return nil
	}
	for _, tag := range tags {
		err := query(t.conn, "INSERT INTO tags (kind, name, key, value) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET value = ?4", nil,
			string(r.Kind), r.Name, tag.Key, tag.Value)
		if err != nil {
			return err
		}
	}
	n, _, err := value(t.conn, "SELECT count(*) FROM tags WHERE kind = ? AND name = ?", string(r.Kind), r.Name)
	if err == nil && n > jobs.MaxTags {
		err = jobs.Errorf(jobs.ErrLimitExceeded, "A resource has at most %d tags.", jobs.MaxTags)
	}
	return err
}

// RemoveTags implements jobs.LabelStore.
func (s *Store) RemoveTags(ctx context.Context, r jobs.Resource, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return s.write(ctx, func(t *tx) error { return t.removeTags(r, keys) })
}

// removeTags removes some tags; no keys are all of them.
func (t *tx) removeTags(r jobs.Resource, keys []string) error {
	if keys == nil {
		return query(t.conn, "DELETE FROM tags WHERE kind = ? AND name = ?", nil, string(r.Kind), r.Name)
	}
	for _, key := range keys {
		if err := query(t.conn, "DELETE FROM tags WHERE kind = ? AND name = ? AND key = ?", nil, string(r.Kind), r.Name, key); err != nil {
			return err
		}
	}
	return nil
}

// Tags implements jobs.LabelStore.
func (s *Store) Tags(ctx context.Context, r jobs.Resource) (tags []jobs.Tag, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, "SELECT key, value FROM tags WHERE kind = ? AND name = ? ORDER BY key", func(stmt *sqlite.Stmt) error {
			tags = append(tags, jobs.Tag{Key: stmt.ColumnText(0), Value: stmt.ColumnText(1)})
			return nil
		}, string(r.Kind), r.Name)
	})
	return tags, err
}
