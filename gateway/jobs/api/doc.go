// Package api is the IoT Jobs service on the wire: AWS's data plane and control plane, over fasthttp.
//
//	device listener ──► Data.Serve ──────────┐
//	                                         ├─ datapath.go   which operation
//	control listener ─► Control.Handle       ├─ dataops.go    the four operations, written append style (json.go)
//	   │ access: who signed, for what        ├─ ../documents  jobDocument: one rendering a quantum
//	   ├─ iot-jobs-data ─► Data ─────────────┘
//	   ├─ /-/jobs/events ─► stream.go ─► Watch (watch.go)
//	   └─ iot ─► route ─► input.go, validate.go ─► control*.go ─► jobs.Service ─► answers.go
//	                      by model/*.txt (model.go)
//
// The two planes share paths: GET /things/t/jobs/j is an operation of both. On the control listener the service that a
// request's signature names decides, so that one --endpoint-url does for the AWS CLI's iot and iot-jobs-data.
//
// What may be asked is AWS's own model, as text (model/control.txt, model/data.txt): every length, pattern, enumeration
// and range is checked from it, and the package's tests form every malformed request from it. Failures are Exceptions:
// AWS's names and statuses, X-Amzn-ErrorType and X-Amzn-RequestId, {"message":…}.
//
// Where AWS's documentation is silent (AWS.md, UNVERIFIED), this package decides:
//
//   - An expectedVersion that does not match is 409 InvalidStateTransitionException on the data plane, which models no
//     other; its body holds executionState, as that of every refused report does.
//   - A document that cannot be signed is 503 ServiceUnavailableException with Retry-After, and starts nothing.
//   - An execution that others keep changing is 503, to be tried again.
//   - A request that is scoped to another region than jobs.region is refused: its ARNs would be another's.
//   - Listings have 100 entries a page unless maxResults says otherwise.
//   - An expectedVersion of 0 matches none; tag keys that begin with aws: are refused.
package api
