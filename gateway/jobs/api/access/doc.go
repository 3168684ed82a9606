// Package access authenticates and authorizes callers of the IoT Jobs API. It reads access keys from a file and checks
// SigV4 signatures against them, in a request's header or, for the data plane, in its query.
//
//	access_keys_file ──► Keys ──► Verifier.Verify ──► Caller ──► MayOperate, MayReport
//
// A refusal is an edge.Fault with AWS's message. Everything is safe for concurrent use.
package access
