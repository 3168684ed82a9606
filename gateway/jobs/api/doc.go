// Package api is the IoT Jobs service on the wire: AWS's data plane and control plane, over fasthttp.
//
//	device listener ──────► data ───────────────────────────┐
//	control listener ─► Listener ─► access: who signed it    ├─► jobs.Service
//	                       ├─ iot-jobs-data ─► data ─────────┤
//	                       ├─ /-/jobs/events ─► events ──────┤
//	                       └─ iot ─► control ────────────────┘
//
// The rooms: access says who calls and what they may do; data is the four operations of devices; control is the operators'
// operations; events is the stream of changes, and its client; model is AWS's model, which inputs are checked by; exception
// is the answers that are errors. The package itself is the front: which of them a request is for.
//
// The two planes share paths: GET /things/t/jobs/j is an operation of both. On the control listener the service that a
// request's signature names decides, so that one --endpoint-url does for the AWS CLI's iot and iot-jobs-data.
//
// Where AWS's documentation is silent (AWS.md, UNVERIFIED), these packages decide:
//
//   - An expectedVersion that does not match is 409 InvalidStateTransitionException on the data plane, which models no
//     other; its body holds executionState, as that of every refused report does.
//   - A document that cannot be signed is 503 ServiceUnavailableException with Retry-After, and starts nothing.
//   - An execution that others keep changing is 503, to be tried again.
//   - A request that is scoped to another region than jobs.region is refused: its ARNs would be another's.
//   - Listings have 100 entries a page unless maxResults says otherwise.
//   - An expectedVersion of 0 matches none; tag keys that begin with aws: are refused.
package api
