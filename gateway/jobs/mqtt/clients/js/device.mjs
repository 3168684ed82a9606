// Acts as a device with AWS's own SDK, of which only the endpoint and the certificates are set. The device gets a notice of a
// job, starts the job, downloads its file, reports, and gets the notice of the next job. It does so once with each of the
// SDK's jobs clients.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import assert from "node:assert/strict";
import { mqtt, mqtt5, iot, iotjobs } from "aws-iot-device-sdk-v2";

const { MQTT_HOST, MQTT_PORT, MQTT_CA, MQTT_CERTS, JOBGATE_ENDPOINT, JOBGATE_ROLE_ARN, JOBGATE_OBJECT_URL, JOBGATE_OBJECT_SHA256 } = process.env;
const timeout = 30_000; // milliseconds

// operate calls the control plane as an operator.
function operate(...args) {
  const out = execFileSync("/usr/bin/aws", ["--endpoint-url", JOBGATE_ENDPOINT, "--output", "json", "iot", ...args], { encoding: "utf8" });
  return out ? JSON.parse(out) : {};
}

function createJob(id, thing) {
  const document = JOBGATE_OBJECT_URL ? { do: id, url: `\${aws:iot:s3-presigned-url-v2:${JOBGATE_OBJECT_URL}}` } : { do: id };
  const presigned = JOBGATE_ROLE_ARN ? ["--presigned-url-config", `roleArn=${JOBGATE_ROLE_ARN}`] : [];
  operate("create-job", "--job-id", id, "--targets", `arn:aws:iot:us-east-1:000000000000:thing/${thing}`, "--document", JSON.stringify(document), ...presigned);
}

// within rejects if the promise takes longer than timeout.
function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`${what}: nothing received within ${timeout} ms`)), timeout); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// inbox queues received messages; take returns the next one.
function inbox() {
  const arrived = [], waiting = [];
  return {
    put: (v) => (waiting.length ? waiting.shift()(v) : arrived.push(v)),
    take: (what) => within(what, arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve))),
  };
}

async function connect5(thing, tls) {
  const builder = tls
    ? iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(MQTT_HOST, `${MQTT_CERTS}/${thing}.crt`, `${MQTT_CERTS}/${thing}.key`).withCertificateAuthorityFromPath(undefined, MQTT_CA)
    : null;
  const config = tls ? builder.withPort(Number(MQTT_PORT)).build() : { hostName: MQTT_HOST, port: Number(MQTT_PORT) };
  config.connectProperties = { keepAliveIntervalSeconds: 60, ...config.connectProperties, clientId: thing };
  const client = new mqtt5.Mqtt5Client(config);
  const up = new Promise((resolve, reject) => {
    client.on("connectionSuccess", resolve);
    client.on("connectionFailure", (e) => reject(e.error));
  });
  client.start();
  await within("connect", up);
  return { client, stop: () => new Promise((resolve) => { client.on("stopped", resolve); client.stop(); }) };
}

async function connect311(thing, tls) {
  const builder = tls
    ? iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(`${MQTT_CERTS}/${thing}.crt`, `${MQTT_CERTS}/${thing}.key`).with_certificate_authority_from_path(undefined, MQTT_CA).with_endpoint(MQTT_HOST).with_port(Number(MQTT_PORT))
    : null;
  const config = tls ? builder.with_client_id(thing).with_clean_session(false).build() : {
    host_name: MQTT_HOST, port: Number(MQTT_PORT), client_id: thing, clean_session: false, keep_alive: 60,
    socket_options: new (await import("aws-crt")).io.SocketOptions(),
  };
  const connection = new mqtt.MqttClient().new_connection(config);
  await within("connect", connection.connect());
  return { client: connection, stop: () => connection.disconnect() };
}

// version2 uses the SDK's request-response client of 2025.
async function version2(thing, jobs) {
  const next = inbox(), changed = inbox();
  const open = async (stream, box) => {
    const subscribed = new Promise((resolve) => stream.on("subscriptionStatus", resolve));
    stream.on("incomingPublish", (p) => box.put(p.message));
    stream.open();
    const status = await within("subscribe", subscribed);
    assert.equal(status.error, undefined);
    return stream;
  };
  const streams = [
    await open(jobs.createNextJobExecutionChangedStream({ thingName: thing }), next),
    await open(jobs.createJobExecutionsChangedStream({ thingName: thing }), changed),
  ];
  return {
    next: () => next.take("notify-next"), changed: () => changed.take("notify"),
    pending: () => jobs.getPendingJobExecutions({ thingName: thing }),
    describe: (jobId) => jobs.describeJobExecution({ thingName: thing, jobId }),
    start: () => jobs.startNextPendingJobExecution({ thingName: thing }),
    update: (r) => jobs.updateJobExecution({ thingName: thing, ...r }),
    close: () => { streams.forEach((s) => s.close()); jobs.close(); },
  };
}

// version1 uses the older client, which needs a subscription per topic and sends no token.
async function version1(thing, connection) {
  const client = new iotjobs.IotJobsClient(connection), qos = mqtt.QoS.AtLeastOnce;
  const boxes = { next: inbox(), changed: inbox(), start: inbox(), update: inbox(), describe: inbox(), pending: inbox() };
  const into = (box) => (error, response) => box.put(error ? { rejected: error } : response);
  const rejected = (box) => (error, response) => box.put({ rejected: error ?? response });
  await client.subscribeToNextJobExecutionChangedEvents({ thingName: thing }, qos, into(boxes.next));
  await client.subscribeToJobExecutionsChangedEvents({ thingName: thing }, qos, into(boxes.changed));
  await client.subscribeToStartNextPendingJobExecutionAccepted({ thingName: thing }, qos, into(boxes.start));
  await client.subscribeToStartNextPendingJobExecutionRejected({ thingName: thing }, qos, rejected(boxes.start));
  await client.subscribeToGetPendingJobExecutionsAccepted({ thingName: thing }, qos, into(boxes.pending));
  await client.subscribeToGetPendingJobExecutionsRejected({ thingName: thing }, qos, rejected(boxes.pending));
  await client.subscribeToUpdateJobExecutionAccepted({ thingName: thing, jobId: "+" }, qos, into(boxes.update));
  await client.subscribeToUpdateJobExecutionRejected({ thingName: thing, jobId: "+" }, qos, rejected(boxes.update));
  await client.subscribeToDescribeJobExecutionAccepted({ thingName: thing, jobId: "+" }, qos, into(boxes.describe));
  await client.subscribeToDescribeJobExecutionRejected({ thingName: thing, jobId: "+" }, qos, rejected(boxes.describe));
  const ask = async (box, what, published) => {
    await published;
    const answer = await boxes[box].take(what);
    if (answer.rejected) throw Object.assign(new Error("rejected"), { modeledError: answer.rejected });
    return answer;
  };
  return {
    next: () => boxes.next.take("notify-next"), changed: () => boxes.changed.take("notify"),
    pending: () => ask("pending", "get", client.publishGetPendingJobExecutions({ thingName: thing }, qos)),
    describe: (jobId) => ask("describe", "describe", client.publishDescribeJobExecution({ thingName: thing, jobId }, qos)),
    start: () => ask("start", "start-next", client.publishStartNextPendingJobExecution({ thingName: thing }, qos)),
    update: (r) => ask("update", "update", client.publishUpdateJobExecution({ thingName: thing, ...r }, qos)),
    close: () => {},
  };
}

async function download(document) {
  if (!JOBGATE_OBJECT_SHA256) return "no URL";
  const response = await fetch(document.url);
  assert.equal(response.status, 200);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(createHash("sha256").update(bytes).digest("hex"), JOBGATE_OBJECT_SHA256);
  return `${bytes.length} bytes`;
}

async function run(name, connect, make, tls) {
  const thing = `js-${name}`;
  operate("create-thing", "--thing-name", thing);
  const { client, stop } = await connect(thing, tls);
  const device = await make(thing, client);
  assert.deepEqual((await device.pending()).queuedJobs, []);
  createJob(`${thing}-1`, thing);
  assert.equal((await device.next()).execution.jobId, `${thing}-1`);
  assert.equal((await device.changed()).jobs.QUEUED.length, 1);
  createJob(`${thing}-2`, thing);
  assert.equal((await device.changed()).jobs.QUEUED.length, 2);
  const started = (await device.start()).execution;
  assert.equal(started.jobId, `${thing}-1`);
  assert.equal(started.status, "IN_PROGRESS");
  assert.equal(started.jobDocument.do, `${thing}-1`);
  const downloaded = await download(started.jobDocument);
  await device.update({ jobId: `${thing}-1`, status: "IN_PROGRESS", statusDetails: { step: "downloaded" }, expectedVersion: started.versionNumber });
  await assert.rejects(device.update({ jobId: `${thing}-1`, status: "IN_PROGRESS", expectedVersion: 1 }), (e) => (e.modeledError ?? e.cause?.modeledError)?.code === "VersionMismatch" || assert.fail(e));
  await device.update({ jobId: `${thing}-1`, status: "SUCCEEDED" });
  assert.equal((await device.next()).execution.jobId, `${thing}-2`); // the next job
  assert.equal((await device.describe("$next")).execution.jobId, `${thing}-2`);
  await device.update({ jobId: `${thing}-2`, status: "SUCCEEDED" });
  assert.equal((await device.next()).execution, undefined); // no job is left
  device.close();
  await stop();
  assert.equal(operate("describe-job", "--job-id", `${thing}-1`).job.status, "COMPLETED");
  console.log(`${name}: ok (${downloaded})`);
}

const options = { maxRequestResponseSubscriptions: 10, maxStreamingSubscriptions: 4, operationTimeoutInSeconds: 30 };
const tls = Boolean(MQTT_CA), suffix = tls ? "-mtls" : "";
await run(`v2-mqtt5${suffix}`, connect5, (thing, client) => version2(thing, iotjobs.IotJobsClientv2.newFromMqtt5(client, options)), tls);
await run(`v2-mqtt311${suffix}`, connect311, (thing, client) => version2(thing, iotjobs.IotJobsClientv2.newFromMqtt311(client, options)), tls);
await run(`v1-mqtt311${suffix}`, connect311, version1, tls);
process.exit(0); // the CRT's threads would keep the process running
