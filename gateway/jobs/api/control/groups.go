package control

import (
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception"
)

var groupHandlers = map[string]handler{
	"CreateThingGroup": createGroup, "DescribeThingGroup": describeGroup, "ListThingGroups": listGroups, "DeleteThingGroup": deleteGroup,
	"UpdateThingGroup":     updateGroup,
	"AddThingToThingGroup": addToGroup, "RemoveThingFromThingGroup": removeFromGroup, "ListThingsInThingGroup": listMembers,
	"ListThingGroupsForThing": listGroupsOfThing, "UpdateThingGroupsForThing": updateGroupsOfThing, "CreateDynamicThingGroup": createDynamicGroup,
}

// attributes is an attribute payload.
type attributes struct {
	Attributes map[string]string `json:"attributes,omitempty"`
}

// groupProperties is a ThingGroupProperties.
type groupProperties struct {
	Description string     `json:"thingGroupDescription,omitempty"`
	Attributes  attributes `json:"attributePayload,omitzero"`
}

// groupRef is CreateThingGroup's output.
type groupRef struct {
	Name string `json:"thingGroupName"`
	ARN  string `json:"thingGroupArn"`
	ID   string `json:"thingGroupId"`
}

func createGroup(c *Plane, q *call) (any, error) {
	tags, err := tagsOf(q.in)
	if err != nil {
		return nil, err
	}
	properties, _ := q.in.Structure("thingGroupProperties")
	g, err := c.service.CreateGroup(q.ctx, q.now, jobs.CreateGroupRequest{
		Name: q.in.Text("thingGroupName"), Parent: q.in.Text("parentGroupName"), Tags: tags,
		Description: properties.Text("thingGroupDescription"), Attributes: attributesOf(properties),
	})
	return groupRef{g.Name, g.ARN, g.ID}, err
}

// groupVersion is UpdateThingGroup's output.
type groupVersion struct {
	Version int64 `json:"version"`
}

func updateGroup(c *Plane, q *call) (any, error) {
	properties, _ := q.in.Structure("thingGroupProperties")
	r := jobs.UpdateGroupRequest{Name: q.in.Text("thingGroupName"), Attributes: attributeUpdateOf(properties), Version: q.in.ExpectedVersion()}
	if properties.Has("thingGroupDescription") {
		description := properties.Text("thingGroupDescription")
		r.Description = &description
	}
	version, err := c.service.UpdateGroup(q.ctx, r)
	return groupVersion{version}, err
}

func createDynamicGroup(*Plane, *call) (any, error) {
	return nil, exception.InvalidRequest("Dynamic thing groups are not available: there is no fleet index here. Use a static group, CreateThingGroup.")
}

// groupMetadata is a ThingGroupMetadata.
type groupMetadata struct {
	Parent    string      `json:"parentGroupName,omitempty"`
	Ancestors []groupName `json:"rootToParentThingGroups,omitempty"`
	CreatedAt epoch       `json:"creationDate,omitzero"`
}

// groupName is a GroupNameAndArn.
type groupName struct {
	Name string `json:"groupName"`
	ARN  string `json:"groupArn"`
}

// groupDetail is DescribeThingGroup's output.
type groupDetail struct {
	Name       string          `json:"thingGroupName"`
	ID         string          `json:"thingGroupId"`
	ARN        string          `json:"thingGroupArn"`
	Version    int64           `json:"version"`
	Properties groupProperties `json:"thingGroupProperties"`
	Metadata   groupMetadata   `json:"thingGroupMetadata"`
}

func describeGroup(c *Plane, q *call) (any, error) {
	g, err := c.service.DescribeGroup(q.ctx, q.in.Text("thingGroupName"))
	if err != nil {
		return nil, err
	}
	answer := groupDetail{
		Name: g.Name, ID: g.ID, ARN: g.ARN, Version: g.Version,
		Properties: groupProperties{g.Description, attributes{g.Attributes}},
		Metadata:   groupMetadata{Parent: g.Parent, CreatedAt: epoch{g.CreatedAt}},
	}
	for i, name := range g.Ancestors {
		answer.Metadata.Ancestors = append(answer.Metadata.Ancestors, groupName{name, g.AncestorARNs[i]})
	}
	return answer, nil
}

// groupList is the output of both listings of groups.
type groupList struct {
	Groups    []groupName `json:"thingGroups"`
	NextToken string      `json:"nextToken,omitempty"`
}

func groupNameOf(g *jobs.GroupDetail) groupName { return groupName{g.Name, g.ARN} }

// listGroups lists all groups unless a parent is given: AWS's recursive is true by default, too.
func listGroups(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.GroupDetail, string, error) {
		return c.service.ListGroups(q.ctx, jobs.GroupQuery{
			Parent: q.in.Text("parentGroup"), Recursive: q.in.Flag("recursive", true), Prefix: q.in.Text("namePrefixFilter"),
		}, p)
	}, groupNameOf)
	return groupList{list, token}, err
}

func deleteGroup(c *Plane, q *call) (any, error) {
	return nil, c.service.DeleteGroup(q.ctx, q.now, q.in.Text("thingGroupName"), q.in.ExpectedVersion())
}

func (q *call) member() jobs.MemberRequest {
	return jobs.MemberRequest{
		Thing: q.in.Text("thingName"), ThingARN: q.in.Text("thingArn"), Group: q.in.Text("thingGroupName"), GroupARN: q.in.Text("thingGroupArn"),
	}
}

func addToGroup(c *Plane, q *call) (any, error) {
	return nil, c.service.AddToGroup(q.ctx, q.now, q.member())
}

func removeFromGroup(c *Plane, q *call) (any, error) {
	return nil, c.service.RemoveFromGroup(q.ctx, q.now, q.member())
}

// memberList is ListThingsInThingGroup's output.
type memberList struct {
	Things    []string `json:"things"`
	NextToken string   `json:"nextToken,omitempty"`
}

func listMembers(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]string, string, error) {
		return c.service.ListMembers(q.ctx, q.in.Text("thingGroupName"), q.in.Flag("recursive", false), p)
	}, func(name *string) string { return *name })
	return memberList{list, token}, err
}

func listGroupsOfThing(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.GroupDetail, string, error) {
		return c.service.ListGroupsOfThing(q.ctx, q.in.Text("thingName"), p)
	}, groupNameOf)
	return groupList{list, token}, err
}

func updateGroupsOfThing(c *Plane, q *call) (any, error) {
	if !q.in.Has("thingName") {
		return nil, exception.InvalidRequest("thingName is required.")
	}
	return nil, c.service.UpdateGroupsOfThing(q.ctx, q.now, jobs.UpdateMembershipRequest{
		Thing: q.in.Text("thingName"), Add: q.in.Texts("thingGroupsToAdd"), Remove: q.in.Texts("thingGroupsToRemove"),
	})
}
