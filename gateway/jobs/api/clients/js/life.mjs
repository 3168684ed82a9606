// Runs a job from its creation to its deletion with AWS's JavaScript clients, as an operator and as a device; see ../run.sh
// for the environment. Failures must be the SDKs' own exception classes.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import * as iot from "@aws-sdk/client-iot";
import * as data from "@aws-sdk/client-iot-jobs-data-plane";

const { JOBGATE_ENDPOINT: endpoint, JOBGATE_ROLE_ARN: roleArn, JOBGATE_OBJECT_URL: objectURL } = process.env;
const region = process.env.AWS_REGION ?? "us-east-1";
const config = { endpoint, region, maxAttempts: 1 };
const operator = new iot.IoT(config);
const device = new data.IoTJobsDataPlane(config);
const run = `js-${process.pid}-${Date.now()}`;

// fails asserts that a call fails with an exception of this class and status, and returns the exception.
async function fails(exception, status, call) {
  const error = await call.then(() => assert.fail(`succeeded, want ${exception.name}`), (e) => e);
  assert.ok(error instanceof exception, `${error.name}: ${error.message}, want ${exception.name}`);
  assert.equal(error.$metadata.httpStatusCode, status);
  assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
  assert.ok(error.message.length > 0);
  return error;
}

const document = roleArn
  ? JSON.stringify({ url: "${aws:iot:s3-presigned-url-v2:" + objectURL + "}" })
  : JSON.stringify({ operation: "reboot" });
const presignedUrlConfig = roleArn ? { roleArn, expiresInSec: 300 } : undefined;

// Things, a group, a job.
const things = [`${run}:1`, `${run}:2`];
const { thingArn } = await operator.createThing({ thingName: things[0], attributePayload: { attributes: { rev: "7" } } });
await operator.createThing({ thingName: things[1] });
const { thingGroupArn } = await operator.createThingGroup({ thingGroupName: run });
for (const thingName of things) await operator.addThingToThingGroup({ thingName, thingGroupName: run });
const again = await fails(iot.ResourceAlreadyExistsException, 409, operator.createThing({ thingName: things[0], thingTypeName: "other" }));
assert.equal(again.resourceArn, thingArn);
await operator.createJob({
  jobId: run, targets: [thingGroupArn], document, presignedUrlConfig, targetSelection: "CONTINUOUS",
  jobExecutionsRolloutConfig: { exponentialRate: { baseRatePerMinute: 1000, incrementFactor: 1.5, rateIncreaseCriteria: { numberOfNotifiedThings: 10 } } },
  abortConfig: { criteriaList: [{ failureType: "FAILED", action: "CANCEL", thresholdPercentage: 60.5, minNumberOfExecutedThings: 5 }] },
  jobExecutionsRetryConfig: { criteriaList: [{ failureType: "FAILED", numberOfRetries: 1 }] },
});
await fails(iot.ResourceAlreadyExistsException, 409, operator.createJob({ jobId: run, targets: [thingGroupArn], document: "{}" }));
await fails(iot.InvalidRequestException, 400, operator.createJob({ jobId: `${run}-x`, targets: [thingGroupArn], document: "${aws:iot:s3-presigned-url:" }));
await fails(iot.ResourceNotFoundException, 404, operator.describeJob({ jobId: `${run}-none` }));

let { job } = await operator.describeJob({ jobId: run });
assert.equal(job.status, "IN_PROGRESS");
assert.ok(Math.abs(job.createdAt - Date.now()) < 60_000, `createdAt ${job.createdAt}`);
assert.equal(job.abortConfig.criteriaList[0].thresholdPercentage, 60.5);
assert.equal((await operator.getJobDocument({ jobId: run })).document, document);
// The rollout's rate delays the second thing's execution for a moment.
for (let i = 0; i < 100 && (await operator.describeJob({ jobId: run })).job.jobProcessDetails.numberOfQueuedThings < 2; i++) await setTimeout(50);
const summaries = [];
for await (const page of iot.paginateListJobExecutionsForJob({ client: operator, pageSize: 1 }, { jobId: run })) summaries.push(...page.executionSummaries);
assert.deepEqual(summaries.map((s) => s.jobExecutionSummary.status), ["QUEUED", "QUEUED"]);
const first = await operator.listThings({ maxResults: 1 });
await fails(iot.InvalidRequestException, 400, operator.listThings({ nextToken: first.nextToken.slice(0, -4) + "AAAA" }));
await fails(iot.InvalidRequestException, 400, operator.listThingGroups({ nextToken: first.nextToken }));

// The device.
const [thingName] = things;
assert.equal((await device.getPendingJobExecutions({ thingName })).queuedJobs[0].jobId, run);
const started = await device.startNextPendingJobExecution({ thingName, statusDetails: { step: "download" } });
assert.equal(started.execution.status, "IN_PROGRESS");
assert.ok(Math.abs(started.execution.startedAt * 1000 - Date.now()) < 60_000, "startedAt is not in seconds");
const described = await device.describeJobExecution({ thingName, jobId: "$next", includeJobDocument: true });
const rendered = JSON.parse(described.execution.jobDocument);
if (roleArn) {
  assert.match(rendered.url, /X-Amz-Expires=300&.*X-Amz-Signature=[0-9a-f]{64}$/);
  if (process.env.JOBGATE_OBJECT_SHA256) {
    const body = await (await fetch(rendered.url)).arrayBuffer();
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", body)).toString("hex");
    assert.equal(digest, process.env.JOBGATE_OBJECT_SHA256);
  }
} else {
  assert.deepEqual(rendered, JSON.parse(document));
}
assert.equal((await device.describeJobExecution({ thingName, jobId: run, includeJobDocument: false, executionNumber: 1 })).execution.jobDocument, undefined);
const stale = await fails(data.InvalidStateTransitionException, 409, device.updateJobExecution({ thingName, jobId: run, status: "SUCCEEDED", expectedVersion: 9 }));
assert.match(stale.message, /version 2/);
await fails(data.InvalidRequestException, 400, device.updateJobExecution({ thingName, jobId: run, status: "QUEUED" }));
const updated = await device.updateJobExecution({ thingName, jobId: run, status: "SUCCEEDED", includeJobExecutionState: true, includeJobDocument: true });
assert.equal(updated.executionState.status, "SUCCEEDED");
assert.ok(JSON.parse(updated.jobDocument));
await fails(data.TerminalStateException, 410, device.describeJobExecution({ thingName, jobId: run }));
await fails(data.InvalidStateTransitionException, 409, device.updateJobExecution({ thingName, jobId: run, status: "FAILED" }));
await fails(data.ResourceNotFoundException, 404, device.describeJobExecution({ thingName, jobId: `${run}-none` }));
assert.equal((await device.describeJobExecution({ thingName, jobId: "$next" })).execution, undefined);
assert.equal((await device.startNextPendingJobExecution({ thingName })).execution, undefined);

// The other execution fails, and is retried.
await device.updateJobExecution({ thingName: things[1], jobId: run, status: "FAILED" });
const retry = await device.describeJobExecution({ thingName: things[1], jobId: "$next" });
assert.deepEqual([retry.execution.executionNumber, retry.execution.status], [2, "QUEUED"]);

// The operator.
await fails(iot.VersionConflictException, 409, operator.cancelJobExecution({ thingName: things[1], jobId: run, expectedVersion: 9 }));
await operator.cancelJobExecution({ thingName: things[1], jobId: run });
await operator.updateJob({ jobId: run, description: "second" });
await fails(iot.InvalidStateTransitionException, 409, operator.deleteJob({ jobId: run }));
await operator.tagResource({ resourceArn: job.jobArn, tags: [{ Key: "stage", Value: "b" }] });
assert.deepEqual((await operator.listTagsForResource({ resourceArn: job.jobArn })).tags, [{ Key: "stage", Value: "b" }]);
await operator.untagResource({ resourceArn: job.jobArn, tagKeys: ["stage"] });
await operator.cancelJob({ jobId: run, reasonCode: "TEST", comment: "no longer" });
({ job } = await operator.describeJob({ jobId: run }));
assert.deepEqual([job.status, job.reasonCode, job.description], ["CANCELED", "TEST", "second"]);
await operator.deleteJob({ jobId: run });

// Templates.
const { jobTemplateArn } = await operator.createJobTemplate({ jobTemplateId: run, description: "of the test", document: "{}" });
const conflict = await fails(iot.ConflictException, 409, operator.createJobTemplate({ jobTemplateId: run, description: "again", document: "{}" }));
assert.equal(conflict.resourceId, run);
assert.ok(jobTemplateArn.endsWith(`:jobtemplate/${run}`));
await operator.deleteJobTemplate({ jobTemplateId: run });
assert.equal((await operator.listManagedJobTemplates({})).managedJobTemplates.length, 8);
assert.equal((await operator.describeManagedJobTemplate({ templateName: "AWS-Reboot" })).templateVersion, "1.0");
assert.ok((await operator.describeEndpoint({ endpointType: "iot:Jobs" })).endpointAddress);

// A wrong secret.
const stranger = new iot.IoT({ ...config, credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "wrong" } });
const refused = await stranger.listJobs({}).then(() => assert.fail("succeeded"), (e) => e);
assert.equal(refused.name, "InvalidSignatureException");
assert.equal(refused.$metadata.httpStatusCode, 403);

for (const name of things) await operator.deleteThing({ thingName: name });
await operator.deleteThingGroup({ thingGroupName: run });
console.log("js: ok, with every exception by its class");
