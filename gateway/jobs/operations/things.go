package operations

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"jobgate/gateway/jobs"
)

// CreateThing answers CreateThing. As with AWS, creating an identical existing thing succeeds.
func (s *Service) CreateThing(ctx context.Context, now time.Time, r jobs.CreateThingRequest) (jobs.ThingDetail, error) {
	t := jobs.Thing{
		Name: r.Name, ID: uuid.NewString(), TypeName: r.TypeName, BillingGroup: r.BillingGroup,
		Attributes: r.Attributes, Version: 1, CreatedAt: jobs.Stored(now),
	}
	err := s.store.CreateThings(ctx, []jobs.Thing{t})
	if errors.Is(err, jobs.ErrAlreadyExists) {
		have, getErr := s.store.Thing(ctx, r.Name)
		if getErr == nil && have.TypeName == r.TypeName && have.BillingGroup == r.BillingGroup && maps.Equal(have.Attributes, r.Attributes) {
			return s.thingDetail(have), nil
		}
		return jobs.ThingDetail{}, exists(jobs.ErrAlreadyExists, s.names.ThingARN(r.Name), have.ID,
			"Thing %s already exists in account with different properties.", r.Name)
	}
	if err != nil {
		return jobs.ThingDetail{}, err
	}
	return s.thingDetail(t), nil
}

func (s *Service) thingDetail(t jobs.Thing) jobs.ThingDetail {
	return jobs.ThingDetail{Thing: t, ARN: s.names.ThingARN(t.Name)}
}

// DescribeThing answers DescribeThing.
func (s *Service) DescribeThing(ctx context.Context, name string) (jobs.ThingDetail, error) {
	t, err := s.store.Thing(ctx, name)
	if err != nil {
		return jobs.ThingDetail{}, err
	}
	return s.thingDetail(t), nil
}

// ListThings answers ListThings, by name.
func (s *Service) ListThings(ctx context.Context, q jobs.ThingQuery, p jobs.Page) ([]jobs.ThingDetail, string, error) {
	things, next, err := s.store.Things(ctx, q, p)
	list := make([]jobs.ThingDetail, len(things))
	for i, t := range things {
		list[i] = s.thingDetail(t)
	}
	return list, next, err
}

// UpdateThing answers UpdateThing. version 0 matches any.
func (s *Service) UpdateThing(ctx context.Context, r jobs.UpdateThingRequest) error {
	if r.RemoveType && r.TypeName != "" {
		return jobs.Errorf(jobs.ErrInvalidRequest, "Either thingTypeName or removeThingType can be given, not both.")
	}
	return s.store.UpdateThing(ctx, r.Name, r.Version, func(t *jobs.Thing) {
		if r.RemoveType {
			t.TypeName = ""
		} else if r.TypeName != "" {
			t.TypeName = r.TypeName
		}
		t.Attributes = r.Attributes.Apply(t.Attributes)
	})
}

// DeleteThing answers DeleteThing: the thing leaves its groups, and its pending executions are REMOVED. version 0 matches
// any. Deleting a missing thing succeeds.
func (s *Service) DeleteThing(ctx context.Context, now time.Time, name string, version int64) error {
	removed, err := s.store.DeleteThing(ctx, name, version, jobs.Stored(now))
	if errors.Is(err, jobs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.driver.Settle(removed)
	if s.publish.Direct() {
		s.publish.Publish(&jobs.Event{Type: jobs.EventThingDeleted, Time: now, Thing: name})
	}
	return nil
}
