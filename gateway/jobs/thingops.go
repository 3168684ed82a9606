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

// UpdateThing answers UpdateThing. version 0 is any.
func (s *Service) UpdateThing(ctx context.Context, r UpdateThingRequest) error {
	if r.RemoveType && r.TypeName != "" {
		return Errorf(ErrInvalidRequest, "Either thingTypeName or removeThingType can be given, not both.")
	}
	return s.store.UpdateThing(ctx, r.Name, r.Version, func(t *Thing) {
		if r.RemoveType {
			t.TypeName = ""
		} else if r.TypeName != "" {
			t.TypeName = r.TypeName
		}
		t.Attributes = r.Attributes.apply(t.Attributes)
	})
}

// apply returns attributes after the update. An attribute whose value is empty is removed.
func (u *AttributeUpdate) apply(have map[string]string) map[string]string {
	if !u.Given {
		return have
	}
	attributes := make(map[string]string, len(have)+len(u.Values))
	if u.Merge {
		maps.Copy(attributes, have)
	}
	for name, value := range u.Values {
		if attributes[name] = value; value == "" {
			delete(attributes, name)
		}
	}
	return attributes
}

// DeleteThing answers DeleteThing: the thing leaves its groups, and what is pending for it is REMOVED. version 0 is any.
// A thing that is not there is deleted already.
func (s *Service) DeleteThing(ctx context.Context, now time.Time, name string, version int64) error {
	removed, err := s.store.DeleteThing(ctx, name, version, stored(now))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.settleAll(removed)
	if s.direct() {
		s.events.publish(&Event{Type: EventThingDeleted, Time: now, Thing: name})
	}
	return nil
}
