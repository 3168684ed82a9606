package api

import (
	"jobgate/gateway/jobs"
)

var groupHandlers = map[string]handler{
	"CreateThingGroup": createGroup, "DescribeThingGroup": describeGroup, "ListThingGroups": listGroups, "DeleteThingGroup": deleteGroup,
	"AddThingToThingGroup": addToGroup, "RemoveThingFromThingGroup": removeFromGroup, "ListThingsInThingGroup": listMembers,
	"ListThingGroupsForThing": listGroupsOfThing, "UpdateThingGroupsForThing": updateGroupsOfThing, "CreateDynamicThingGroup": createDynamicGroup,
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

func createGroup(c *Control, q *call) (any, error) {
	properties, err := structure[groupProperties](q.in, "thingGroupProperties")
	if err != nil {
		return nil, err
	}
	tags, err := q.tags()
	if err != nil {
		return nil, err
	}
	r := jobs.CreateGroupRequest{Name: q.in.text("thingGroupName"), Parent: q.in.text("parentGroupName"), Tags: tags}
	if properties != nil {
		r.Description, r.Attributes = properties.Description, properties.Attributes.Attributes
	}
	g, err := c.service.CreateGroup(q.ctx, q.now, r)
	return groupRef{g.Name, g.ARN, g.ID}, err
}

func createDynamicGroup(*Control, *call) (any, error) {
	return nil, invalidRequest("Dynamic thing groups are not available: there is no fleet index here. Use a static group, CreateThingGroup.")
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

func describeGroup(c *Control, q *call) (any, error) {
	g, err := c.service.DescribeGroup(q.ctx, q.in.text("thingGroupName"))
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

func groupListOf(list []jobs.GroupDetail, token string) groupList {
	answer := groupList{Groups: make([]groupName, len(list)), NextToken: token}
	for i, g := range list {
		answer.Groups[i] = groupName{g.Name, g.ARN}
	}
	return answer
}

// listGroups lists all groups unless a parent is given: AWS's recursive is true by default, too.
func listGroups(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	list, cursor, err := c.service.ListGroups(q.ctx, jobs.GroupQuery{
		Parent: q.in.text("parentGroup"), Recursive: q.in.flag("recursive", true), Prefix: q.in.text("namePrefixFilter"),
	}, p)
	if err != nil {
		return nil, err
	}
	return groupListOf(list, c.tokens.token(q, cursor)), nil
}

func deleteGroup(c *Control, q *call) (any, error) {
	return nil, c.service.DeleteGroup(q.ctx, q.now, q.in.text("thingGroupName"), q.in.expectedVersion())
}

func (q *call) member() jobs.MemberRequest {
	return jobs.MemberRequest{
		Thing: q.in.text("thingName"), ThingARN: q.in.text("thingArn"), Group: q.in.text("thingGroupName"), GroupARN: q.in.text("thingGroupArn"),
	}
}

func addToGroup(c *Control, q *call) (any, error) {
	return nil, c.service.AddToGroup(q.ctx, q.now, q.member())
}

func removeFromGroup(c *Control, q *call) (any, error) {
	return nil, c.service.RemoveFromGroup(q.ctx, q.now, q.member())
}

// memberList is ListThingsInThingGroup's output.
type memberList struct {
	Things    []string `json:"things"`
	NextToken string   `json:"nextToken,omitempty"`
}

func listMembers(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	list, cursor, err := c.service.ListMembers(q.ctx, q.in.text("thingGroupName"), q.in.flag("recursive", false), p)
	if list == nil {
		list = []string{}
	}
	return memberList{list, c.tokens.token(q, cursor)}, err
}

func listGroupsOfThing(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	list, cursor, err := c.service.ListGroupsOfThing(q.ctx, q.in.text("thingName"), p)
	if err != nil {
		return nil, err
	}
	return groupListOf(list, c.tokens.token(q, cursor)), nil
}

func updateGroupsOfThing(c *Control, q *call) (any, error) {
	if !q.in.has("thingName") {
		return nil, invalidRequest("thingName is required.")
	}
	return nil, c.service.UpdateGroupsOfThing(q.ctx, q.now, jobs.UpdateMembershipRequest{
		Thing: q.in.text("thingName"), Add: q.in.texts("thingGroupsToAdd"), Remove: q.in.texts("thingGroupsToRemove"),
	})
}
