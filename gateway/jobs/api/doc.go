// Package api is the IoT Jobs service on the wire: AWS's data plane and control plane, over fasthttp.
//
//	device listener ──────► data ───────────────────────────┐
//	control listener ─► Listener ─► access: who signed it    ├─► jobs.Service
//	                       ├─ iot-jobs-data ─► data ─────────┤
//	                       ├─ /-/jobs/events ─► events ──────┤
//	                       └─ iot ─► control ────────────────┘
//
// Package access authenticates and authorizes callers, data has the four operations of devices, control those of operators,
// events the stream of changes and its client, model AWS's model, which validates inputs, and exception the error answers.
// This package dispatches requests to them.
//
// The two planes share paths: GET /things/t/jobs/j is an operation of both. On the control listener the service in the
// request's signature decides, so that one --endpoint-url works for the AWS CLI's iot and iot-jobs-data.
//
// If AWS's documentation does not say (AWS.md, UNVERIFIED), these packages decide:
//
//   - An expectedVersion that does not match is 409 InvalidStateTransitionException on the data plane, which has no other
//     error for it; its body has executionState, as for every refused report.
//   - A document that cannot be signed is 503 ServiceUnavailableException with Retry-After, and starts nothing.
//   - If concurrent changes keep winning, the answer is 503, to be retried.
//   - A request for another region than jobs.region is refused, because its ARNs would not match.
//   - Listings have 100 entries a page unless maxResults says otherwise.
//   - An expectedVersion of 0 matches none; tag keys that begin with aws: are refused.
package api
