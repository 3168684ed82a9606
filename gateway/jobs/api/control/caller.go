package control

import (
	"github.com/valyala/fasthttp"

	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/exception"
)

// CallerPath answers who the caller is and what they may do, for clients that adapt their interface to it.
const CallerPath = "/-/caller"

// callerAnswer is CallerPath's output.
type callerAnswer struct {
	AccessKeyID string `json:"accessKeyId"`
	ReadOnly    bool   `json:"readOnly"`
	Region      string `json:"region"`
	Account     string `json:"account"`
}

// ServeCaller answers a GET of CallerPath.
func (c *Plane) ServeCaller(ctx *fasthttp.RequestCtx, caller *access.Caller) (operation string, _ *exception.Exception) {
	const name = "DescribeCaller"
	if fault := caller.MayOperate(name, false); fault != nil {
		return name, exception.From(fault)
	}
	names := c.service.Names()
	if err := respond(ctx, callerAnswer{caller.ID(), caller.ReadOnly(), names.Region, names.Account}); err != nil {
		return name, exception.Of(nil, err)
	}
	return name, nil
}
