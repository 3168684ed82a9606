package control

import "jobgate/gateway/jobs"

var tagHandlers = map[string]handler{
	"TagResource": tagResource, "UntagResource": untagResource, "ListTagsForResource": listTags,
}

func tagResource(c *Plane, q *call) (any, error) {
	tags, err := tagsOf(q.in)
	if err != nil {
		return nil, err
	}
	return nil, c.service.TagResource(q.ctx, q.in.Text("resourceArn"), tags)
}

func untagResource(c *Plane, q *call) (any, error) {
	return nil, c.service.UntagResource(q.ctx, q.in.Text("resourceArn"), q.in.Texts("tagKeys"))
}

// tagList is ListTagsForResource's output. A resource's tags fit into one page.
type tagList struct {
	Tags []jobs.Tag `json:"tags"`
}

func listTags(c *Plane, q *call) (any, error) {
	if _, err := c.page(q); err != nil { // there is only one page, so no token is valid
		return nil, err
	}
	tags, err := c.service.ListTags(q.ctx, q.in.Text("resourceArn"))
	if tags == nil {
		tags = []jobs.Tag{}
	}
	return tagList{tags}, err
}
