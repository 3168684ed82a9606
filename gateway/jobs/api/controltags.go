package api

import "jobgate/gateway/jobs"

var tagHandlers = map[string]handler{
	"TagResource": tagResource, "UntagResource": untagResource, "ListTagsForResource": listTags,
}

func tagResource(c *Control, q *call) (any, error) {
	tags, err := q.tags()
	if err != nil {
		return nil, err
	}
	return nil, c.service.TagResource(q.ctx, q.in.text("resourceArn"), tags)
}

func untagResource(c *Control, q *call) (any, error) {
	return nil, c.service.UntagResource(q.ctx, q.in.text("resourceArn"), q.in.texts("tagKeys"))
}

// tagList is ListTagsForResource's output. A resource's tags fit into one page.
type tagList struct {
	Tags []jobs.Tag `json:"tags"`
}

func listTags(c *Control, q *call) (any, error) {
	if _, err := c.page(q); err != nil { // there is no next page, so no token is right
		return nil, err
	}
	tags, err := c.service.ListTags(q.ctx, q.in.text("resourceArn"))
	if tags == nil {
		tags = []jobs.Tag{}
	}
	return tagList{tags}, err
}
