package control

import (
	"jobgate/gateway/jobs"
	"jobgate/gateway/jobs/api/exception"
)

var thingHandlers = map[string]handler{
	"CreateThing": createThing, "DescribeThing": describeThing, "ListThings": listThings, "DeleteThing": deleteThing,
	"UpdateThing": updateThing,
}

// endpointAnswer is DescribeEndpoint's output.
type endpointAnswer struct {
	Address string `json:"endpointAddress"`
}

// describeEndpoint answers with jobs.data_endpoint, or with the host that the client called: the control listener
// serves the data plane too.
func describeEndpoint(c *Plane, q *call) (any, error) {
	address, err := c.service.Endpoint(q.in.Text("endpointType"))
	if err == nil && address == "" {
		address = q.host
	}
	return endpointAnswer{address}, err
}

// thingRef is CreateThing's output.
type thingRef struct {
	Name string `json:"thingName"`
	ARN  string `json:"thingArn"`
	ID   string `json:"thingId"`
}

func createThing(c *Plane, q *call) (any, error) {
	t, err := c.service.CreateThing(q.ctx, q.now, jobs.CreateThingRequest{
		Name: q.in.Text("thingName"), TypeName: q.in.Text("thingTypeName"), BillingGroup: q.in.Text("billingGroupName"),
		Attributes: attributesOf(q.in),
	})
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

func describeThing(c *Plane, q *call) (any, error) {
	t, err := c.service.DescribeThing(q.ctx, q.in.Text("thingName"))
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

func listThings(c *Plane, q *call) (any, error) {
	list, token, err := entries(c, q, func(p jobs.Page) ([]jobs.ThingDetail, string, error) {
		if q.in.Has("attributeValue") && !q.in.Has("attributeName") {
			return nil, "", exception.InvalidRequest("attributeValue needs an attributeName.")
		}
		return c.service.ListThings(q.ctx, jobs.ThingQuery{
			TypeName: q.in.Text("thingTypeName"), AttributeName: q.in.Text("attributeName"), AttributeValue: q.in.Text("attributeValue"),
			AttributePrefix: q.in.Flag("usePrefixAttributeValue", false), ByValue: q.in.Has("attributeValue"),
		}, p)
	}, func(t *jobs.ThingDetail) listedThing {
		return listedThing{t.Name, t.TypeName, t.ARN, orEmpty(t.Attributes), t.Version}
	})
	return thingList{list, token}, err
}

func updateThing(c *Plane, q *call) (any, error) {
	return nil, c.service.UpdateThing(q.ctx, jobs.UpdateThingRequest{
		Name: q.in.Text("thingName"), TypeName: q.in.Text("thingTypeName"), RemoveType: q.in.Flag("removeThingType", false),
		Attributes: attributeUpdateOf(q.in), Version: q.in.ExpectedVersion(),
	})
}

func deleteThing(c *Plane, q *call) (any, error) {
	return nil, c.service.DeleteThing(q.ctx, q.now, q.in.Text("thingName"), q.in.ExpectedVersion())
}
