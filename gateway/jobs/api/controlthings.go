package api

import (
	"jobgate/gateway/jobs"
)

var thingHandlers = map[string]handler{
	"CreateThing": createThing, "DescribeThing": describeThing, "ListThings": listThings, "DeleteThing": deleteThing,
}

// endpointAnswer is DescribeEndpoint's output.
type endpointAnswer struct {
	Address string `json:"endpointAddress"`
}

// describeEndpoint answers with jobs.data_endpoint, or with the host that the client called: the control listener
// serves the data plane too.
func describeEndpoint(c *Control, q *call) (any, error) {
	address, err := c.service.Endpoint(q.in.text("endpointType"))
	if err == nil && address == "" {
		address = q.host
	}
	return endpointAnswer{address}, err
}

// attributes is the part of an attribute payload that counts when something is created.
type attributes struct {
	Attributes map[string]string `json:"attributes,omitempty"`
}

// thingRef is CreateThing's output.
type thingRef struct {
	Name string `json:"thingName"`
	ARN  string `json:"thingArn"`
	ID   string `json:"thingId"`
}

func createThing(c *Control, q *call) (any, error) {
	payload, err := structure[attributes](q.in, "attributePayload")
	if err != nil {
		return nil, err
	}
	r := jobs.CreateThingRequest{Name: q.in.text("thingName"), TypeName: q.in.text("thingTypeName"), BillingGroup: q.in.text("billingGroupName")}
	if payload != nil {
		r.Attributes = payload.Attributes
	}
	t, err := c.service.CreateThing(q.ctx, q.now, r)
	return thingRef{t.Name, t.ARN, t.ID}, err
}

// thingDetail is DescribeThing's output.
type thingDetail struct {
	ClientID     string            `json:"defaultClientId"`
	Name         string            `json:"thingName"`
	ID           string            `json:"thingId"`
	ARN          string            `json:"thingArn"`
	TypeName     string            `json:"thingTypeName,omitempty"`
	Attributes   map[string]string `json:"attributes"`
	Version      int64             `json:"version"`
	BillingGroup string            `json:"billingGroupName,omitempty"`
}

func describeThing(c *Control, q *call) (any, error) {
	t, err := c.service.DescribeThing(q.ctx, q.in.text("thingName"))
	if err != nil {
		return nil, err
	}
	return thingDetail{t.Name, t.Name, t.ID, t.ARN, t.TypeName, orEmpty(t.Attributes), t.Version, t.BillingGroup}, nil
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// listedThing is an entry of ListThings.
type listedThing struct {
	Name       string            `json:"thingName"`
	TypeName   string            `json:"thingTypeName,omitempty"`
	ARN        string            `json:"thingArn"`
	Attributes map[string]string `json:"attributes"`
	Version    int64             `json:"version"`
}

// thingList is ListThings' output.
type thingList struct {
	Things    []listedThing `json:"things"`
	NextToken string        `json:"nextToken,omitempty"`
}

func listThings(c *Control, q *call) (any, error) {
	p, err := c.page(q)
	if err != nil {
		return nil, err
	}
	if q.in.has("attributeValue") && !q.in.has("attributeName") {
		return nil, invalidRequest("attributeValue needs an attributeName.")
	}
	list, cursor, err := c.service.ListThings(q.ctx, jobs.ThingQuery{
		TypeName: q.in.text("thingTypeName"), AttributeName: q.in.text("attributeName"), AttributeValue: q.in.text("attributeValue"),
		AttributePrefix: q.in.flag("usePrefixAttributeValue", false),
	}, p)
	if err != nil {
		return nil, err
	}
	answer := thingList{Things: make([]listedThing, len(list)), NextToken: c.tokens.token(q, cursor)}
	for i, t := range list {
		answer.Things[i] = listedThing{t.Name, t.TypeName, t.ARN, orEmpty(t.Attributes), t.Version}
	}
	return answer, nil
}

func deleteThing(c *Control, q *call) (any, error) {
	return nil, c.service.DeleteThing(q.ctx, q.now, q.in.text("thingName"), q.in.expectedVersion())
}
