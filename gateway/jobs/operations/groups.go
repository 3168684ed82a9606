package operations

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"

	"jobgate/gateway/jobs"
)

// CreateGroup answers CreateThingGroup. As with AWS, creating an identical existing group succeeds.
func (s *Service) CreateGroup(ctx context.Context, now time.Time, r jobs.CreateGroupRequest) (jobs.GroupDetail, error) {
	if len(r.Tags) > jobs.MaxTags {
		return jobs.GroupDetail{}, jobs.Errorf(jobs.ErrInvalidRequest, "A thing group has at most %d tags.", jobs.MaxTags)
	}
	g := jobs.Group{
		Name: r.Name, ID: uuid.NewString(), Parent: r.Parent, Description: r.Description,
		Attributes: r.Attributes, Version: 1, CreatedAt: jobs.Stored(now),
	}
	err := s.store.CreateGroup(ctx, g, r.Tags)
	if errors.Is(err, jobs.ErrAlreadyExists) {
		have, getErr := s.store.Group(ctx, r.Name)
		if getErr == nil && have.Parent == r.Parent && have.Description == r.Description && maps.Equal(have.Attributes, r.Attributes) {
			return s.groupDetail(have), nil
		}
		return jobs.GroupDetail{}, exists(jobs.ErrAlreadyExists, s.names.GroupARN(r.Name), have.ID,
			"Thing group %s already exists in account with different properties.", r.Name)
	}
	if err != nil {
		return jobs.GroupDetail{}, err
	}
	return s.DescribeGroup(ctx, g.Name)
}

func (s *Service) groupDetail(g jobs.Group) jobs.GroupDetail {
	d := jobs.GroupDetail{Group: g, ARN: s.names.GroupARN(g.Name)}
	for _, a := range g.Ancestors {
		d.AncestorARNs = append(d.AncestorARNs, s.names.GroupARN(a))
	}
	return d
}

func (s *Service) groupDetails(groups []jobs.Group) []jobs.GroupDetail {
	list := make([]jobs.GroupDetail, len(groups))
	for i, g := range groups {
		list[i] = s.groupDetail(g)
	}
	return list
}

// DescribeGroup answers DescribeThingGroup.
func (s *Service) DescribeGroup(ctx context.Context, name string) (jobs.GroupDetail, error) {
	g, err := s.store.Group(ctx, name)
	if err != nil {
		return jobs.GroupDetail{}, err
	}
	return s.groupDetail(g), nil
}

// ListGroups answers ListThingGroups, by name.
func (s *Service) ListGroups(ctx context.Context, q jobs.GroupQuery, p jobs.Page) ([]jobs.GroupDetail, string, error) {
	groups, next, err := s.store.Groups(ctx, q, p)
	return s.groupDetails(groups), next, err
}

// UpdateGroup answers UpdateThingGroup with the group's new version. Missing members are not changed. version 0 matches
// any.
func (s *Service) UpdateGroup(ctx context.Context, r jobs.UpdateGroupRequest) (version int64, err error) {
	return s.store.UpdateGroup(ctx, r.Name, r.Version, func(g *jobs.Group) {
		if r.Description != nil {
			g.Description = *r.Description
		}
		g.Attributes = r.Attributes.Apply(g.Attributes)
	})
}

// DeleteGroup answers DeleteThingGroup; deleting a missing group succeeds. Its things leave in chunks.
func (s *Service) DeleteGroup(ctx context.Context, now time.Time, name string, version int64) error {
	err := s.store.DeleteGroup(ctx, name, version, jobs.Stored(now))
	if errors.Is(err, jobs.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := s.driver.SweepGroups(ctx, jobs.Stored(now)); err != nil { // the first chunk now; Run does the others
		s.log.Warn("jobs: cannot end memberships", "group", name, "error", err)
		s.driver.ScheduleGroups()
	}
	return nil
}

// AddToGroup answers AddThingToThingGroup. The thing gets the group's continuous jobs at once.
func (s *Service) AddToGroup(ctx context.Context, now time.Time, r jobs.MemberRequest) error {
	thing, group, err := s.member(r)
	if err != nil {
		return err
	}
	return s.changeMembers(ctx, jobs.MemberChange{Things: []string{thing}, Add: []string{group}, Now: jobs.Stored(now), Bounded: true})
}

// RemoveFromGroup answers RemoveThingFromThingGroup. The thing's pending executions of the group's jobs are
// REMOVED.
func (s *Service) RemoveFromGroup(ctx context.Context, now time.Time, r jobs.MemberRequest) error {
	thing, group, err := s.member(r)
	if err != nil {
		return err
	}
	return s.changeMembers(ctx, jobs.MemberChange{Things: []string{thing}, Remove: []string{group}, Now: jobs.Stored(now)})
}

// UpdateGroupsOfThing answers UpdateThingGroupsForThing.
func (s *Service) UpdateGroupsOfThing(ctx context.Context, now time.Time, r jobs.UpdateMembershipRequest) error {
	return s.changeMembers(ctx, jobs.MemberChange{Things: []string{r.Thing}, Add: r.Add, Remove: r.Remove, Now: jobs.Stored(now), Bounded: true})
}

func (s *Service) changeMembers(ctx context.Context, c jobs.MemberChange) error {
	r, err := s.store.ChangeMembers(ctx, c)
	if err != nil {
		return err
	}
	s.publish.Executions(r.Queued)
	s.driver.Settle(r.Removed)
	return nil
}

// member returns the names in a request by name or ARN.
func (s *Service) member(r jobs.MemberRequest) (thing, group string, err error) {
	if thing, err = s.nameOf(r.Thing, r.ThingARN, jobs.KindThing); err != nil {
		return "", "", err
	}
	group, err = s.nameOf(r.Group, r.GroupARN, jobs.KindGroup)
	return thing, group, err
}

// nameOf returns a name given directly, as an ARN, or both.
func (s *Service) nameOf(name, arn string, kind jobs.ResourceKind) (string, error) {
	if arn == "" {
		if name == "" {
			return "", jobs.Errorf(jobs.ErrInvalidRequest, "Either the name or the ARN of the %s is required.", kind)
		}
		return name, nil
	}
	r, err := s.names.Parse(arn)
	if err != nil {
		return "", err
	}
	if r.Kind != kind || (name != "" && name != r.Name) {
		return "", jobs.Errorf(jobs.ErrInvalidRequest, "ARN %s is not that of %s %s.", arn, kind, name)
	}
	return r.Name, nil
}

// ListMembers answers ListThingsInThingGroup, in a stable order.
func (s *Service) ListMembers(ctx context.Context, group string, recursive bool, p jobs.Page) ([]string, string, error) {
	return s.store.Members(ctx, group, recursive, p)
}

// ListGroupsOfThing answers ListThingGroupsForThing, by name.
func (s *Service) ListGroupsOfThing(ctx context.Context, thing string, p jobs.Page) ([]jobs.GroupDetail, string, error) {
	groups, next, err := s.store.GroupsOf(ctx, thing, p)
	return s.groupDetails(groups), next, err
}
