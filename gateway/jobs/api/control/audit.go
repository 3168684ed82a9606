package control

import (
	"log/slog"
	"strings"

	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/exception"
	"jobgate/gateway/jobs/api/model"
	"jobgate/gateway/target"
)

// audited are the members that name the resource that an operation changes, with its kind in ARNs.
var audited = []struct{ member, kind string }{
	{"failedJobId", "job"},
	{"jobId", "job"},
	{"jobTemplateId", "jobtemplate"},
	{"thingName", "thing"},
	{"thingGroupName", "thinggroup"},
	{"resourceArn", ""},
	{"thingArn", ""},
	{"thingGroupArn", ""},
}

// resource names what an operation changes: "job/update-1 thing/sensor-1", or the path if the input does not say.
func resource(asked *target.Target, variables map[string]string, in *model.Input) string {
	var names []string
	for _, a := range audited {
		value := in.Text(a.member)
		if value == "" {
			value = variables[a.member]
		}
		if value != "" && a.kind != "" {
			value = a.kind + "/" + value
		}
		if value != "" {
			names = append(names, value)
		}
	}
	if len(names) == 0 {
		return string(asked.Path())
	}
	return strings.Join(names, " ")
}

// audit logs an operator's change, also if it was refused or failed: the key, the operation, the resource and the outcome.
func (c *Plane) audit(route *route, caller *access.Caller, resource string, failure *exception.Exception) {
	if !route.Changes() {
		return
	}
	outcome := "done"
	if failure != nil {
		outcome = failure.Code
	}
	attributes := []any{
		slog.String("access_key", caller.ID()), slog.String("operation", route.Name), slog.String("resource", resource),
		slog.String("outcome", outcome),
	}
	c.log.Info("jobs: operator's change", attributes...)
	if c.auditLog != nil {
		c.auditLog.Info("operator's change", attributes...)
	}
}
