package jobs

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"
)

// CreateThing answers CreateThing. As with AWS, creating a thing that is there already, just like that, succeeds.
func (s *Service) CreateThing(ctx context.Context, now time.Time, r CreateThingRequest) (ThingDetail, error) {
	t := Thing{
		Name: r.Name, ID: uuid.NewString(), TypeName: r.TypeName, BillingGroup: r.BillingGroup,
		Attributes: r.Attributes, Version: 1, CreatedAt: stored(now),
	}
	err := s.store.CreateThings(ctx, []Thing{t})
	if errors.Is(err, ErrAlreadyExists) {
		have, getErr := s.store.Thing(ctx, r.Name)
		if getErr == nil && have.TypeName == r.TypeName && have.BillingGroup == r.BillingGroup && maps.Equal(have.Attributes, r.Attributes) {
			return s.thingDetail(have), nil
		}
		exists := Errorf(ErrAlreadyExists, "Thing %s already exists in account with different properties.", r.Name)
		exists.ResourceARN, exists.ResourceID = s.names.ThingARN(r.Name), have.ID
		return ThingDetail{}, exists
	}
	if err != nil {
		return ThingDetail{}, err
	}
	return s.thingDetail(t), nil
}

func (s *Service) thingDetail(t Thing) ThingDetail {
	return ThingDetail{Thing: t, ARN: s.names.ThingARN(t.Name)}
}

// DescribeThing answers DescribeThing.
func (s *Service) DescribeThing(ctx context.Context, name string) (ThingDetail, error) {
	t, err := s.store.Thing(ctx, name)
	if err != nil {
		return ThingDetail{}, err
	}
	return s.thingDetail(t), nil
}

// ListThings answers ListThings, by name.
func (s *Service) ListThings(ctx context.Context, q ThingQuery, p Page) ([]ThingDetail, string, error) {
	things, next, err := s.store.Things(ctx, q, p)
	list := make([]ThingDetail, len(things))
	for i, t := range things {
		list[i] = s.thingDetail(t)
	}
	return list, next, err
}

// DeleteThing answers DeleteThing: the thing leaves its groups, and what is pending for it is REMOVED. version 0 is any.
func (s *Service) DeleteThing(ctx context.Context, now time.Time, name string, version int64) error {
	removed, err := s.store.DeleteThing(ctx, name, version, stored(now))
	if err != nil {
		return err
	}
	s.settleAll(removed)
	if s.direct() {
		s.events.publish(&Event{Type: EventThingDeleted, Time: now, Thing: name})
	}
	return nil
}
