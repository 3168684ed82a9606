package api

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"jobgate/gateway/jobs/api/exception/exceptiontest"
)

// fail reports a status and details for things.
func (p *plane) fail(job, status, details string, things ...string) {
	p.t.Helper()
	for _, thing := range things {
		p.ok(operator.asDevice(), "POST", "/things/"+thing+"/jobs/"+job, `{"status":"`+status+`","statusDetails":`+details+`}`)
	}
}

// TestFailures reads failures as a dashboard does: with a read-only key, in pages, by status and by reason.
func TestFailures(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b", "c", "d", "e")
	p.createJob("j", "a", "b", "c", "d", "e")
	const hostile = `</script><img src=x onerror=alert(1)>`
	p.fail("j", "FAILED", `{"reason":"disk is full","free":"0"}`, "a", "b")
	p.fail("j", "REJECTED", `{"reason":"`+hostile+`"}`, "c")
	p.fail("j", "FAILED", `{}`, "d")
	p.fail("j", "SUCCEEDED", `{"reason":"disk is full"}`, "e")
	all := p.ok(dashboard, "GET", "/-/jobs/j/failures", "")
	expect(t, "failures", all, "failures", `[`+
		`{"executionNumber":1,"lastUpdatedAt":1795435200.25,"reason":"disk is full","status":"FAILED","statusDetails":{"free":"0","reason":"disk is full"},"thingName":"a"},`+
		`{"executionNumber":1,"lastUpdatedAt":1795435200.25,"reason":"disk is full","status":"FAILED","statusDetails":{"free":"0","reason":"disk is full"},"thingName":"b"},`+
		`{"executionNumber":1,"lastUpdatedAt":1795435200.25,"reason":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e","status":"REJECTED","statusDetails":{"reason":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e"},"thingName":"c"},`+
		`{"executionNumber":1,"lastUpdatedAt":1795435200.25,"status":"FAILED","thingName":"d"}]`,
		"reasons", `[{"count":2,"reason":"disk is full","status":"FAILED"},{"count":1,"reason":"","status":"FAILED"},`+
			`{"count":1,"reason":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e","status":"REJECTED"}]`)

	things := func(query string) (names string) {
		for token := ""; ; {
			page := p.ok(operator, "GET", "/-/jobs/j/failures?maxResults=1"+query+token, "")
			list, _ := page["failures"].([]any)
			for _, f := range list {
				names += fmt.Sprint(f.(map[string]any)["thingName"])
			}
			if (page["reasons"] != nil) != (token == "" && len(list) > 0) {
				t.Errorf("%s: reasons on page %q", query, token)
			}
			next, _ := page["nextToken"].(string)
			if next == "" {
				return names
			}
			token = "&nextToken=" + url.QueryEscape(next)
		}
	}
	for query, want := range map[string]string{
		"": "abcd", "&status=FAILED": "abd", "&status=TIMED_OUT": "", "&reason=disk+is+full": "ab", "&reason=": "d",
		"&status=REJECTED&reason=disk%20is%20full": "",
	} {
		if got := things(query); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	token := get(p.ok(operator, "GET", "/-/jobs/j/failures?maxResults=1", ""), "nextToken").(string)
	exceptiontest.Check(t, "another listing's token", p.do(operator, "GET", "/-/jobs/j/failures?status=FAILED&nextToken="+url.QueryEscape(token), ""), 400, "InvalidRequestException", "nextToken")
	exceptiontest.Check(t, "no failure", p.do(operator, "GET", "/-/jobs/j/failures?status=SUCCEEDED", ""), 400, "InvalidRequestException", "status")
	exceptiontest.Check(t, "no job", p.do(operator, "GET", "/-/jobs/none/failures", ""), 404, "ResourceNotFoundException", "none")
}

// TestCheckDocument: a read-only key may have documents checked, which changes nothing and leaves no audit line.
func TestCheckDocument(t *testing.T) {
	p := newPlane(t)
	before := p.store.writes.Load()
	f := func(document, want string) {
		t.Helper()
		body, _ := json.Marshal(map[string]string{"document": document})
		expect(t, document, p.ok(dashboard, "POST", "/-/document/check", string(body)), "problems", want)
	}
	f(`{"url":"${aws:iot:s3-presigned-url-v2:https://s3.us-east-1.amazonaws.com/firmware/v7.bin}"}`, "[]")
	f("{\"x\":1,\n \"url\":}", `[{"column":8,"line":2,"message":"The job document is not valid JSON: invalid character '}' looking for beginning of value."}]`)
	exceptiontest.Check(t, "too much", p.do(dashboard, "POST", "/-/document/check", `{"document":"`+strings.Repeat("x", 1<<20+1)+`"}`), 400, "InvalidRequestException", "document")
	exceptiontest.Check(t, "unknown role", p.do(dashboard, "POST", "/-/document/check", `{"document":"{}","roleArn":"arn:aws:iam::1:role/none"}`), 400, "InvalidRequestException", "role/none")
	if p.store.writes.Load() != before {
		t.Error("something changed")
	}
}

// TestProgress reads a job's counts over time.
func TestProgress(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b")
	p.createJob("j", "a", "b")
	p.tick()
	p.now = p.now.Add(time.Minute)
	p.fail("j", "FAILED", "{}", "a")
	p.tick()
	p.now = p.now.Add(time.Second)
	expect(t, "progress", p.ok(dashboard, "GET", "/-/jobs/j/progress", ""), "progress",
		`[{"executions":{},"time":1795435200.25},{"executions":{"QUEUED":2},"time":1795435200.25},`+
			`{"executions":{"FAILED":1,"QUEUED":1},"time":1795435260.25},{"executions":{"FAILED":1,"QUEUED":1},"time":1795435261.25}]`)
	exceptiontest.Check(t, "no job", p.do(operator, "GET", "/-/jobs/none/progress", ""), 404, "ResourceNotFoundException", "none")
}

// TestRetryJob retries a job's failures, as the console does.
func TestRetryJob(t *testing.T) {
	p := newPlane(t)
	p.createThings("a", "b", "c", "d")
	p.createJob("j", "a", "b", "c", "d")
	p.fail("j", "FAILED", `{"reason":"disk"}`, "a", "b")
	p.fail("j", "REJECTED", "{}", "c")
	before := p.store.writes.Load()
	expect(t, "dry run", p.ok(operator, "POST", "/-/jobs/j/retry", `{"jobId":"again","dryRun":true}`), "things", "3", "jobId", "")
	expect(t, "by reason", p.ok(operator, "POST", "/-/jobs/j/retry", `{"reason":"disk","dryRun":true}`), "things", "2")
	expect(t, "without one", p.ok(operator, "POST", "/-/jobs/j/retry", `{"reason":"","dryRun":true}`), "things", "1")
	expect(t, "by status", p.ok(operator, "POST", "/-/jobs/j/retry", `{"statuses":["REJECTED","TIMED_OUT"],"dryRun":true}`), "things", "1")
	for body, want := range map[string]string{
		`{}`: "jobId", `{"jobId":"again","statuses":[]}`: "statuses", `{"jobId":"again","statuses":["SUCCEEDED"]}`: "statuses",
		`{"jobId":"again","statuses":["TIMED_OUT"]}`: "nothing to retry", `{"jobId":"../x"}`: "jobId", `{"jobId":"` + strings.Repeat("x", 65) + `"}`: "jobId",
	} {
		exceptiontest.Check(t, body, p.do(operator, "POST", "/-/jobs/j/retry", body), 400, "InvalidRequestException", want)
	}
	exceptiontest.Check(t, "no job", p.do(operator, "POST", "/-/jobs/none/retry", `{"jobId":"again"}`), 404, "ResourceNotFoundException", "none")
	exceptiontest.Check(t, "read-only", p.do(dashboard, "POST", "/-/jobs/j/retry", `{"jobId":"again"}`), 403, "AccessDeniedException", "RetryJob")
	if p.store.writes.Load() != before {
		t.Error("something changed")
	}
	for range 2 {
		expect(t, "retry", p.ok(operator, "POST", "/-/jobs/j/retry", `{"jobId":"again","statuses":["FAILED"]}`),
			"things", "2", "jobId", "again", "jobArn", account+"job/again", "thingGroupName", "jobgate-retry-again")
	}
	exceptiontest.Check(t, "another retry", p.do(operator, "POST", "/-/jobs/j/retry", `{"jobId":"again"}`), 409, "ResourceAlreadyExistsException", "again")
	p.tick()
	expect(t, "DescribeJob", p.ok(operator, "GET", "/jobs/again", ""), "job.status", "IN_PROGRESS", "job.jobProcessDetails.numberOfQueuedThings", "2",
		"job.targets", `["`+account+`thinggroup/jobgate-retry-again"]`, "job.presignedUrlConfig", `{"expiresInSec":300,"roleArn":"`+testRole+`"}`)
	expect(t, "members", p.ok(operator, "GET", "/thing-groups/jobgate-retry-again/things", ""), "things", `["a","b"]`)
	expect(t, "a device's", p.ok(operator.asDevice(), "GET", "/things/a/jobs/$next", ""), "execution.jobId", "again")
}
