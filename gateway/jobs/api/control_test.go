package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs/api/access"
	"jobgate/gateway/jobs/api/control"
	"jobgate/gateway/jobs/api/events"
	"jobgate/gateway/jobs/api/exception/exceptiontest"
)

const account = "arn:aws:iot:us-east-1:123456789012:"

func (p *plane) createThings(names ...string) {
	p.t.Helper()
	for _, name := range names {
		p.ok(operator, "POST", "/things/"+url.PathEscape(name), "")
	}
}

// createJob creates a job for things with a document that has to be signed.
func (p *plane) createJob(id string, things ...string) {
	p.t.Helper()
	p.ok(operator, "PUT", "/jobs/"+id, `{"targets":["`+account+`thing/`+strings.Join(things, `","`+account+"thing/")+`"],
		"document":"{\"url\":\"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}\"}",
		"presignedUrlConfig":{"roleArn":"`+testRole+`","expiresInSec":300}}`)
}

// The whole life of a job, for an operator and a device.
func TestLifeOfAJob(t *testing.T) {
	p := newPlane(t)
	p.createThings("sensor:a1", "sensor:a2")
	p.createJob("update-7", "sensor:a1", "sensor:a2")
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/update-7", ""),
		"job.jobArn", account+"job/update-7", "job.status", "IN_PROGRESS", "job.targetSelection", "SNAPSHOT",
		"job.createdAt", "1795435200.25", "job.jobProcessDetails.numberOfQueuedThings", "2",
		"job.presignedUrlConfig", `{"expiresInSec":300,"roleArn":"`+testRole+`"}`)
	expect(t, "GetJobDocument", p.ok(operator, "GET", "/jobs/update-7/job-document?beforeSubstitution=true", ""),
		"document", `{"url":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}"}`)

	started := p.ok(sensor, "PUT", "/things/sensor%3Aa1/jobs/$next", `{"statusDetails":{"step":"download"}}`)
	expect(t, "StartNext", started, "execution.status", "IN_PROGRESS", "execution.versionNumber", "2", "execution.queuedAt", "1795435200",
		"execution.statusDetails", `{"step":"download"}`)
	if document, _ := get(started, "execution.jobDocument").(string); !strings.Contains(document, "X-Amz-Expires=300&") {
		t.Errorf("the document is not signed: %s", document)
	}
	expect(t, "DescribeJobExecution", p.ok(operator, "GET", "/things/sensor%3Aa1/jobs/update-7", ""),
		"execution.thingArn", account+"thing/sensor:a1", "execution.statusDetails.detailsMap", `{"step":"download"}`,
		"execution.startedAt", "1795435200.25", "execution.executionNumber", "1")
	exceptiontest.Check(t, "Update", p.do(sensor, "POST", "/things/sensor:a1/jobs/update-7", `{"status":"SUCCEEDED","expectedVersion":0}`), 409,
		"InvalidStateTransitionException", "version 2, expected was 0")
	expect(t, "UpdateJobExecution", p.ok(sensor, "POST", "/things/sensor%3Aa1/jobs/update-7",
		`{"status":"SUCCEEDED","expectedVersion":2,"includeJobExecutionState":true}`),
		"executionState.status", "SUCCEEDED", "executionState.versionNumber", "3")
	exceptiontest.Check(t, "Describe", p.do(sensor, "GET", "/things/sensor:a1/jobs/update-7", ""), 410, "TerminalStateException", "")
	exceptiontest.Check(t, "Update", p.do(sensor, "POST", "/things/sensor:a1/jobs/update-7", `{"status":"FAILED"}`), 409, "InvalidStateTransitionException", "")

	p.ok(operator.asDevice(), "POST", "/things/sensor:a2/jobs/update-7", `{"status":"FAILED"}`)
	p.tick()
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/update-7", ""), "job.status", "COMPLETED",
		"job.jobProcessDetails.numberOfSucceededThings", "1", "job.jobProcessDetails.numberOfFailedThings", "1")
	expect(t, "ListJobs", p.ok(operator, "GET", "/jobs?status=COMPLETED", ""), "jobs",
		`[{"completedAt":1795435200.25,"createdAt":1795435200.25,"isConcurrent":false,"jobArn":"`+account+`job/update-7","jobId":"update-7","lastUpdatedAt":1795435200.25,"status":"COMPLETED","targetSelection":"SNAPSHOT"}]`)
	p.ok(operator, "DELETE", "/jobs/update-7", "")
	exceptiontest.Check(t, "gone", p.do(operator, "GET", "/jobs/update-7", ""), 404, "ResourceNotFoundException", "")
}

func TestJobChanges(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b")
	p.ok(operator, "POST", "/thing-groups/fleet", `{"tags":[{"Key":"site","Value":"x"}]}`)
	p.ok(operator, "PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"a","thingGroupName":"fleet"}`)
	created := p.ok(operator, "PUT", "/jobs/j", `{"targets":["`+account+`thinggroup/fleet"],"documentSource":"https://s3.us-east-1.amazonaws.com/b/doc.json",
		"description":"d","targetSelection":"CONTINUOUS","namespaceId":"ns","tags":[{"Key":"k"}],
		"jobExecutionsRolloutConfig":{"maximumPerMinute":1000,"exponentialRate":{"baseRatePerMinute":50,"incrementFactor":1.5,"rateIncreaseCriteria":{"numberOfNotifiedThings":10}}},
		"abortConfig":{"criteriaList":[{"failureType":"ALL","action":"CANCEL","thresholdPercentage":12.5,"minNumberOfExecutedThings":3}]},
		"timeoutConfig":{"inProgressTimeoutInMinutes":100},
		"jobExecutionsRetryConfig":{"criteriaList":[{"failureType":"FAILED","numberOfRetries":2}]},
		"schedulingConfig":{"endTime":"`+testTime.Add(48*time.Hour).Format("2006-01-02 15:04")+`","endBehavior":"CANCEL"}}`)
	expect(t, "CreateJob", created, "jobArn", account+"job/j", "jobId", "j", "description", "d")
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/j", ""), "documentSource", "https://s3.us-east-1.amazonaws.com/b/doc.json",
		"job.namespaceId", "ns", "job.timeoutConfig.inProgressTimeoutInMinutes", "100", "job.schedulingConfig.endBehavior", "CANCEL",
		"job.abortConfig.criteriaList", `[{"action":"CANCEL","failureType":"ALL","minNumberOfExecutedThings":3,"thresholdPercentage":12.5}]`,
		"job.jobExecutionsRolloutConfig.exponentialRate.incrementFactor", "1.5")
	expect(t, "GetJobDocument", p.ok(operator, "GET", "/jobs/j/job-document", ""), "document", `{"from":"https://s3.us-east-1.amazonaws.com/b/doc.json"}`)

	p.ok(operator, "PATCH", "/jobs/j?namespaceId=ns", `{"description":"e","timeoutConfig":{"inProgressTimeoutInMinutes":5}}`)
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/j", ""), "job.description", "e", "job.timeoutConfig.inProgressTimeoutInMinutes", "5")
	expect(t, "AssociateTargets", p.ok(operator, "POST", "/jobs/j/targets", `{"targets":["`+account+`thing/b"],"comment":"c"}`), "jobId", "j")
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/j", ""), "job.targets", `["`+account+`thinggroup/fleet","`+account+`thing/b"]`, "job.comment", "c")
	expect(t, "CancelJob", p.ok(operator, "PUT", "/jobs/j/cancel?force=true", `{"reasonCode":"R_1","comment":"why"}`), "description", "e")
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/j", ""), "job.status", "CANCELED", "job.forceCanceled", "true",
		"job.reasonCode", "R_1", "job.comment", "why")
	exceptiontest.Check(t, "again", p.do(operator, "PUT", "/jobs/j/cancel", ""), 400, "InvalidRequestException", "CANCELED")
	p.ok(operator, "DELETE", "/jobs/j?force=true&namespaceId=ns", "")
}

func TestExecutionOperations(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b", "c")
	p.createJob("j", "a", "b", "c")
	p.ok(operator.asDevice(), "PUT", "/things/a/jobs/$next", "{}")
	expect(t, "for job", p.ok(operator, "GET", "/jobs/j/things?status=IN_PROGRESS", ""), "executionSummaries",
		`[{"jobExecutionSummary":{"executionNumber":1,"lastUpdatedAt":1795435200.25,"queuedAt":1795435200.25,"retryAttempt":0,"startedAt":1795435200.25,"status":"IN_PROGRESS"},"thingArn":"`+account+`thing/a"}]`)
	expect(t, "for thing", p.ok(operator, "GET", "/things/b/jobs?jobId=j", ""), "executionSummaries",
		`[{"jobExecutionSummary":{"executionNumber":1,"lastUpdatedAt":1795435200.25,"queuedAt":1795435200.25,"retryAttempt":0,"status":"QUEUED"},"jobId":"j"}]`)
	exceptiontest.Check(t, "cancel", p.do(operator, "PUT", "/things/a/jobs/j/cancel", ""), 409, "InvalidStateTransitionException", "force")
	exceptiontest.Check(t, "cancel", p.do(operator, "PUT", "/things/a/jobs/j/cancel?force=true", `{"expectedVersion":7}`), 409, "VersionConflictException", "version 2")
	exceptiontest.Check(t, "cancel", p.do(operator, "PUT", "/things/a/jobs/j/cancel?force=true", `{"expectedVersion":0}`), 409, "VersionConflictException", "expected was 0")
	p.ok(operator, "PUT", "/things/a/jobs/j/cancel?force=true", `{"expectedVersion":2,"statusDetails":{"by":"me"}}`)
	expect(t, "Describe", p.ok(operator, "GET", "/things/a/jobs/j?executionNumber=1", ""), "execution.status", "CANCELED",
		"execution.forceCanceled", "true", "execution.statusDetails.detailsMap", `{"by":"me"}`)
	p.ok(operator, "DELETE", "/things/b/jobs/j/executionNumber/1", "")
	exceptiontest.Check(t, "deleted", p.do(operator, "GET", "/things/b/jobs/j", ""), 404, "ResourceNotFoundException", "")
	exceptiontest.Check(t, "delete", p.do(operator, "DELETE", "/things/b/jobs/j/executionNumber/0", ""), 400, "InvalidRequestException", "executionNumber")
	exceptiontest.Check(t, "details", p.do(operator, "PUT", "/things/c/jobs/j/cancel",
		`{"statusDetails":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1","g":"1","h":"1","i":"1","j":"1","k":"1"}}`), 400, "InvalidRequestException", "limit is 10")
}

func TestTemplates(t *testing.T) {
	p := newPlane(t)
	p.createThings("a")
	expect(t, "create", p.ok(operator, "PUT", "/job-templates/t1", `{"description":"d","document":"{}","maintenanceWindows":[{"startTime":"cron(0 0 ? * MON *)","durationInMinutes":60}],
		"tags":[{"Key":"a","Value":"b"}]}`), "jobTemplateArn", account+"jobtemplate/t1", "jobTemplateId", "t1")
	exceptiontest.Check(t, "again", p.do(operator, "PUT", "/job-templates/t1", `{"description":"d","document":"{}"}`), 409, "ConflictException", "exists")
	expect(t, "describe", p.ok(operator, "GET", "/job-templates/t1", ""), "description", "d", "document", "{}", "createdAt", "1795435200.25",
		"maintenanceWindows", `[{"durationInMinutes":60,"startTime":"cron(0 0 ? * MON *)"}]`)
	expect(t, "list", p.ok(operator, "GET", "/job-templates", ""), "jobTemplates",
		`[{"createdAt":1795435200.25,"description":"d","jobTemplateArn":"`+account+`jobtemplate/t1","jobTemplateId":"t1"}]`)
	p.ok(operator, "DELETE", "/job-templates/t1", "")
	exceptiontest.Check(t, "gone", p.do(operator, "GET", "/job-templates/t1", ""), 404, "ResourceNotFoundException", "")

	names := []string{}
	for token := ""; ; {
		page := p.ok(operator, "GET", "/managed-job-templates?maxResults=3&nextToken="+url.QueryEscape(token), "")
		for _, v := range page["managedJobTemplates"].([]any) {
			names = append(names, v.(map[string]any)["templateName"].(string))
		}
		if token, _ = page["nextToken"].(string); token == "" {
			break
		}
	}
	want := "AWS-Download-File AWS-Install-Application AWS-Reboot AWS-Remove-Application AWS-Restart-Application AWS-Run-Command AWS-Start-Application AWS-Stop-Application"
	if strings.Join(names, " ") != want {
		t.Errorf("managed templates: %v", names)
	}
	expect(t, "managed", p.ok(operator, "GET", "/managed-job-templates/AWS-Reboot?templateVersion=1.0", ""),
		"templateArn", "arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0", "templateVersion", "1.0", "environments", `["LINUX"]`)
	exceptiontest.Check(t, "managed", p.do(operator, "GET", "/managed-job-templates/AWS-Reboot?templateVersion=9.9", ""), 404, "ResourceNotFoundException", "")
	p.ok(operator, "PUT", "/jobs/m", `{"targets":["`+account+`thing/a"],"jobTemplateArn":"arn:aws:iot:us-east-1::jobtemplate/AWS-Download-File:1.0",
		"documentParameters":{"downloadUrl":"https://example.com/x","filePath":"/tmp/x"}}`)
	expect(t, "before substitution", p.ok(operator, "GET", "/jobs/m/job-document?beforeSubstitution=true", ""), "document",
		get(p.ok(operator, "GET", "/managed-job-templates/AWS-Download-File", ""), "document").(string))
	expect(t, "managed job", p.ok(operator, "GET", "/jobs/m", ""), "job.jobTemplateArn", "arn:aws:iot:us-east-1::jobtemplate/AWS-Download-File:1.0",
		"job.documentParameters", `{"downloadUrl":"https://example.com/x","filePath":"/tmp/x"}`)
}

func TestThingsAndGroups(t *testing.T) {
	p := newPlane(t)
	p.ok(operator, "POST", "/things/a", `{"thingTypeName":"meter","billingGroupName":"bg","attributePayload":{"attributes":{"rev":"7"},"merge":true}}`)
	expect(t, "DescribeThing", p.ok(operator, "GET", "/things/a", ""), "thingName", "a", "defaultClientId", "a", "thingTypeName", "meter",
		"billingGroupName", "bg", "attributes", `{"rev":"7"}`, "version", "1", "thingArn", account+"thing/a")
	// The type and the billing group are unchecked names (COMPATIBILITY.md, "Groups and types").
	exceptiontest.Check(t, "its type", p.do(operator, "GET", "/thing-types/meter", ""), 404, "UnknownOperationException", "DescribeThingType is not available")
	exceptiontest.Check(t, "its group", p.do(operator, "GET", "/billing-groups/bg", ""), 404, "UnknownOperationException", "DescribeBillingGroup is not available")
	exceptiontest.Check(t, "CreateThing", p.do(operator, "POST", "/things/a", `{"thingTypeName":"other"}`), 409, "ResourceAlreadyExistsException", "different")
	exists := p.do(operator, "POST", "/things/a", `{"thingTypeName":"other"}`)
	if body := string(exists.Body()); !strings.Contains(body, `"resourceArn":"`+account+`thing/a"`) || !strings.Contains(body, `"resourceId":"`) {
		t.Errorf("CreateThing again: %s", body)
	}
	p.createThings("b", "c:1")
	expect(t, "ListThings", p.ok(operator, "GET", "/things?attributeName=rev&attributeValue=7", ""), "things",
		`[{"attributes":{"rev":"7"},"thingArn":"`+account+`thing/a","thingName":"a","thingTypeName":"meter","version":1}]`)
	exceptiontest.Check(t, "ListThings", p.do(operator, "GET", "/things?attributeValue=7", ""), 400, "InvalidRequestException", "attributeName")
	p.ok(operator, "POST", "/things/d", `{"attributePayload":{"attributes":{"tag":"a=b[1]"}}}`)
	expect(t, "ListThings", p.ok(operator, "GET", "/things?attributeName=tag&attributeValue=a%3Db%5B1%5D", ""), "things",
		`[{"attributes":{"tag":"a=b[1]"},"thingArn":"`+account+`thing/d","thingName":"d","version":1}]`)

	p.ok(operator, "POST", "/thing-groups/world", `{"thingGroupProperties":{"thingGroupDescription":"top","attributePayload":{"attributes":{"x":"y"}}}}`)
	expect(t, "CreateThingGroup", p.ok(operator, "POST", "/thing-groups/leaf", `{"parentGroupName":"world"}`), "thingGroupArn", account+"thinggroup/leaf")
	expect(t, "DescribeThingGroup", p.ok(operator, "GET", "/thing-groups/world", ""), "thingGroupProperties.thingGroupDescription", "top",
		"thingGroupProperties.attributePayload.attributes", `{"x":"y"}`, "version", "1", "thingGroupMetadata.creationDate", "1795435200.25")
	expect(t, "DescribeThingGroup", p.ok(operator, "GET", "/thing-groups/leaf", ""), "thingGroupMetadata.parentGroupName", "world",
		"thingGroupMetadata.rootToParentThingGroups", `[{"groupArn":"`+account+`thinggroup/world","groupName":"world"}]`)
	expect(t, "ListThingGroups", p.ok(operator, "GET", "/thing-groups?parentGroup=world", ""), "thingGroups",
		`[{"groupArn":"`+account+`thinggroup/leaf","groupName":"leaf"}]`)
	p.ok(operator, "PUT", "/thing-groups/addThingToThingGroup", `{"thingArn":"`+account+`thing/a","thingGroupArn":"`+account+`thinggroup/leaf"}`)
	p.ok(operator, "POST", "/thing-groups/other", "")
	p.ok(operator, "PUT", "/thing-groups/updateThingGroupsForThing", `{"thingName":"c:1","thingGroupsToAdd":["leaf","other"]}`)
	exceptiontest.Check(t, "one hierarchy", p.do(operator, "PUT", "/thing-groups/addThingToThingGroup", `{"thingName":"c:1","thingGroupName":"world"}`), 400, "InvalidRequestException", "hierarchy")
	p.ok(operator, "PUT", "/thing-groups/updateThingGroupsForThing", `{"thingName":"c:1","thingGroupsToAdd":["world"],"thingGroupsToRemove":["leaf"]}`)
	p.ok(operator, "PUT", "/thing-groups/updateThingGroupsForThing", `{"thingName":"c:1","thingGroupsToAdd":["leaf"],"thingGroupsToRemove":["world"]}`)
	exceptiontest.Check(t, "attributes without a type", p.do(operator, "POST", "/things/e", `{"attributePayload":{"attributes":{"a":"1","b":"1","c":"1","d":"1"}}}`), 400, "InvalidRequestException", "at most 3")
	expect(t, "ListThingsInThingGroup", p.ok(operator, "GET", "/thing-groups/leaf/things", ""), "things", `["a","c:1"]`)
	if list := p.ok(operator, "GET", "/thing-groups/world/things?recursive=true", "")["things"].([]any); len(list) != 2 {
		t.Errorf("recursive: %v", list)
	}
	expect(t, "ListThingGroupsForThing", p.ok(operator, "GET", "/things/c%3A1/thing-groups", ""), "thingGroups",
		`[{"groupArn":"`+account+`thinggroup/leaf","groupName":"leaf"},{"groupArn":"`+account+`thinggroup/other","groupName":"other"}]`)
	p.ok(operator, "PUT", "/thing-groups/removeThingFromThingGroup", `{"thingName":"a","thingGroupName":"leaf"}`)
	expect(t, "ListThingsInThingGroup", p.ok(operator, "GET", "/thing-groups/leaf/things", ""), "things", `["c:1"]`)
	exceptiontest.Check(t, "dynamic", p.do(operator, "POST", "/dynamic-thing-groups/d", `{"queryString":"*"}`), 400, "InvalidRequestException", "Dynamic")
	exceptiontest.Check(t, "DeleteThingGroup", p.do(operator, "DELETE", "/thing-groups/leaf?expectedVersion=9", ""), 409, "VersionConflictException", "")
	exceptiontest.Check(t, "DeleteThingGroup", p.do(operator, "DELETE", "/thing-groups/leaf?expectedVersion=0", ""), 409, "VersionConflictException", "expected was 0")
	p.ok(operator, "DELETE", "/thing-groups/leaf", "")
	p.ok(operator, "DELETE", "/thing-groups/leaf", "")
	exceptiontest.Check(t, "DeleteThing", p.do(operator, "DELETE", "/things/b?expectedVersion=0", ""), 409, "VersionConflictException", "expected was 0")
	p.ok(operator, "DELETE", "/things/b?expectedVersion=1", "")
	exceptiontest.Check(t, "gone", p.do(operator, "GET", "/things/b", ""), 404, "ResourceNotFoundException", "")
}

// Things and groups are updated as in AWS's model: given members replace or are merged, and the version increases.
func TestUpdates(t *testing.T) {
	p := newPlane(t)
	p.ok(operator, "POST", "/things/a", `{"thingTypeName":"meter","attributePayload":{"attributes":{"rev":"7","site":"x"}}}`)
	f := func(body, typeName, attributes, version string) {
		t.Helper()
		p.ok(operator, "PATCH", "/things/a", body)
		expect(t, body, p.ok(operator, "GET", "/things/a", ""), "thingTypeName", typeName, "attributes", attributes, "version", version)
	}
	f(`{"attributePayload":{"attributes":{"rev":"8","new":"1"},"merge":true}}`, "meter", `{"new":"1","rev":"8","site":"x"}`, "2")
	f(`{"attributePayload":{"attributes":{"new":""},"merge":true},"expectedVersion":2}`, "meter", `{"rev":"8","site":"x"}`, "3")
	f(`{"thingTypeName":"pump"}`, "pump", `{"rev":"8","site":"x"}`, "4")
	f(`{"attributePayload":{"attributes":{"rev":"9"}},"removeThingType":true}`, "", `{"rev":"9"}`, "5")
	f(`{"attributePayload":{"attributes":{}}}`, "", `{}`, "6")
	exceptiontest.Check(t, "version", p.do(operator, "PATCH", "/things/a", `{"expectedVersion":2}`), 409, "VersionConflictException", "version 6")
	exceptiontest.Check(t, "missing", p.do(operator, "PATCH", "/things/none", `{}`), 404, "ResourceNotFoundException", "none")
	exceptiontest.Check(t, "both", p.do(operator, "PATCH", "/things/a", `{"thingTypeName":"x","removeThingType":true}`), 400, "InvalidRequestException", "not both")

	p.ok(operator, "POST", "/thing-groups/world", `{"thingGroupProperties":{"thingGroupDescription":"top","attributePayload":{"attributes":{"x":"y"}}}}`)
	p.ok(operator, "POST", "/thing-groups/leaf", `{"parentGroupName":"world"}`)
	expect(t, "UpdateThingGroup", p.ok(operator, "PATCH", "/thing-groups/leaf", `{"thingGroupProperties":{"thingGroupDescription":"low"}}`), "version", "2")
	expect(t, "DescribeThingGroup", p.ok(operator, "GET", "/thing-groups/leaf", ""), "thingGroupProperties.thingGroupDescription", "low",
		"thingGroupMetadata.parentGroupName", "world", "version", "2")
	p.ok(operator, "PATCH", "/thing-groups/world", `{"thingGroupProperties":{"attributePayload":{"attributes":{"z":"1"},"merge":true}},"expectedVersion":1}`)
	expect(t, "DescribeThingGroup", p.ok(operator, "GET", "/thing-groups/world", ""), "thingGroupProperties.thingGroupDescription", "top",
		"thingGroupProperties.attributePayload.attributes", `{"x":"y","z":"1"}`)
	exceptiontest.Check(t, "version", p.do(operator, "PATCH", "/thing-groups/world", `{"thingGroupProperties":{},"expectedVersion":1}`), 409, "VersionConflictException", "version 2")
	exceptiontest.Check(t, "missing", p.do(operator, "PATCH", "/thing-groups/none", `{"thingGroupProperties":{}}`), 404, "ResourceNotFoundException", "none")
}

// Operations answer with the exceptions in their AWS model.
func TestMissingResources(t *testing.T) {
	p := newPlane(t)
	p.ok(operator, "DELETE", "/things/none", "")
	exceptiontest.Check(t, "parent", p.do(operator, "POST", "/thing-groups/leaf", `{"parentGroupName":"none"}`), 400, "InvalidRequestException", "parent thing group none")
	p.createThings("a")
	document := `{"a":"${aws:iot:package:p:version:1:attributes:size}"}`
	body, _ := json.Marshal(map[string]any{"targets": []string{account + "thing/a"}, "document": document})
	exceptiontest.Check(t, "package", p.do(operator, "PUT", "/jobs/j", string(body)), 400, "InvalidRequestException", "no software package catalog")
}

// An empty attributeValue is a value.
func TestListThingsByEmptyValue(t *testing.T) {
	p := newPlane(t)
	p.ok(operator, "POST", "/things/a", `{"attributePayload":{"attributes":{"site":""}}}`)
	p.ok(operator, "POST", "/things/b", `{"attributePayload":{"attributes":{"site":"x"}}}`)
	f := func(query string, want int) {
		t.Helper()
		if list := p.ok(operator, "GET", "/things?"+query, "")["things"].([]any); len(list) != want {
			t.Errorf("%s: %v, want %d", query, list, want)
		}
	}
	f("attributeName=site", 2)
	f("attributeName=site&attributeValue=", 1)
	f("attributeName=site&attributeValue=&usePrefixAttributeValue=true", 2)
	f("attributeName=site&attributeValue=x", 1)
}

func TestTags(t *testing.T) {
	p := newPlane(t)
	p.ok(operator, "POST", "/thing-groups/g", "")
	const arn = account + "thinggroup/g"
	p.ok(operator, "POST", "/tags", `{"resourceArn":"`+arn+`","tags":[{"Key":"b","Value":"2"},{"Key":"a","Value":""}]}`)
	list := "/tags?resourceArn=" + url.QueryEscape(arn)
	expect(t, "list", p.ok(operator, "GET", list, ""), "tags", `[{"Key":"a","Value":""},{"Key":"b","Value":"2"}]`)
	p.ok(operator, "POST", "/untag", `{"resourceArn":"`+arn+`","tagKeys":["b"]}`)
	expect(t, "list", p.ok(operator, "GET", list, ""), "tags", `[{"Key":"a","Value":""}]`)
	exceptiontest.Check(t, "twice", p.do(operator, "POST", "/tags", `{"resourceArn":"`+arn+`","tags":[{"Key":"b"},{"Key":"b"}]}`), 400, "InvalidRequestException", "twice")
	exceptiontest.Check(t, "aws's", p.do(operator, "POST", "/tags", `{"resourceArn":"`+arn+`","tags":[{"Key":"aws:b"}]}`), 400, "InvalidRequestException", "aws:b")
	exceptiontest.Check(t, "token", p.do(operator, "GET", list+"&nextToken=x", ""), 400, "InvalidRequestException", "nextToken")
	exceptiontest.Check(t, "absent", p.do(operator, "GET", "/tags?resourceArn="+url.QueryEscape(account+"job/none"), ""), 404, "ResourceNotFoundException", "")
}

func TestDescribeEndpoint(t *testing.T) {
	p := newPlane(t)
	expect(t, "Jobs", p.ok(operator, "GET", "/endpoint?endpointType=iot:Jobs", ""), "endpointAddress", "localhost")
	older := operator
	older.service = "execute-api"
	expect(t, "none", p.ok(older, "GET", "/endpoint", ""), "endpointAddress", "localhost")
	exceptiontest.Check(t, "other", p.do(operator, "GET", "/endpoint?endpointType=iot:CredentialProvider", ""), 400, "InvalidRequestException", "iot:Jobs")
}

func TestUnknownOperations(t *testing.T) {
	p := newPlane(t)
	f := func(s signature, method, uri string) {
		t.Helper()
		exceptiontest.Check(t, method+" "+uri, p.do(s, method, uri, ""), http.StatusNotFound, "UnknownOperationException", "")
	}
	message := p.do(operator, "PUT", "/things/a/principals", "").Body()
	if !strings.Contains(string(message), "AttachThingPrincipal") {
		t.Errorf("an unimplemented operation of AWS is not named: %s", message)
	}
	f(operator, "GET", "/")
	f(operator, "GET", "/job")
	f(operator, "POST", "/jobs/j")
	f(operator, "GET", "/jobs/j/")
	f(operator, "GET", "//jobs")
	f(operator, "GET", "/things//jobs")
	f(operator, "PUT", "/things/a/jobs/$next")
	f(operator, "HEAD", "/jobs")
	f(operator, "POST", events.Path)
	f(sensor, "GET", "/jobs")
}

// Members that were not given are present but empty where AWS has them: see the AWS CLI's examples.
func TestEmptyIsShown(t *testing.T) {
	p := newPlane(t)
	p.createThings("a")
	p.ok(operator, "PUT", "/jobs/j", `{"targets":["`+account+`thing/a"],"document":"{}"}`)
	expect(t, "job", p.ok(operator, "GET", "/jobs/j", ""), "job.presignedUrlConfig", `{}`, "job.jobExecutionsRolloutConfig", `{}`, "job.timeoutConfig", `{}`)
	expect(t, "execution", p.ok(operator, "GET", "/things/a/jobs/j", ""), "execution.statusDetails", `{"detailsMap":{}}`)
}

// A client can read its key's permissions before it offers operations.
func TestCaller(t *testing.T) {
	p := newPlane(t)
	f := func(s signature, wantStatus int, want string) {
		t.Helper()
		s.service = access.ServiceControl
		if res := p.do(s, "GET", control.CallerPath, ""); res.StatusCode() != wantStatus || !strings.Contains(string(res.Body()), want) {
			t.Errorf("%s: got %d %s, want %d %s", s.id, res.StatusCode(), res.Body(), wantStatus, want)
		}
	}
	f(operator, 200, `{"accessKeyId":"`+operator.id+`","readOnly":false,"region":"us-east-1"`)
	f(dashboard, 200, `"readOnly":true`)
	f(sensor, 403, "not authorized to perform iot:DescribeCaller")
}

// Tag keys with AWS's own prefix are refused, in upper or lower case.
func TestTagsOfAWS(t *testing.T) {
	p := newPlane(t)
	p.createThings("a")
	p.createJob("j", "a")
	f := func(key string, want int) {
		t.Helper()
		r := p.do(operator, "POST", "/tags", `{"resourceArn":"`+account+`job/j","tags":[{"Key":"`+key+`","Value":"v"}]}`)
		if r.StatusCode() != want {
			t.Errorf("%q: %d %s, want %d", key, r.StatusCode(), r.Body(), want)
		}
	}
	f("aws:x", 400)
	f("AWS:x", 400)
	f("Aws:", 400)
	f("aws", 200)
	f("awsx:y", 200)
}

// A parameter of a managed template's document may be as long as AWS's newest model allows.
func TestLongDocumentParameters(t *testing.T) {
	p := newPlane(t)
	p.createThings("a")
	f := func(n int, want string) {
		t.Helper()
		r := p.do(operator, "PUT", "/jobs/j", `{"targets":["`+account+`thing/a"],"jobTemplateArn":"arn:aws:iot:us-east-1::jobtemplate/AWS-Reboot:1.0","documentParameters":{"x":"`+strings.Repeat("x", n)+`"}}`)
		if got := strings.Contains(string(r.Body()), "length less than or equal to 30720"); got != (want != "") {
			t.Errorf("%d characters: %d %.300s", n, r.StatusCode(), r.Body())
		}
	}
	f(513, "")
	f(30720, "")
	f(30721, "too long")
}
