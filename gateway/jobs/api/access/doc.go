// Package access says who calls the IoT Jobs API, and what they may do: access keys read from a file, SigV4 signatures
// checked against them, in a request's header or, for the data plane, in its query.
//
//	access_keys_file ──► Keys ──► Verifier.Verify ──► Caller ──► MayOperate, MayReport
//
// What is refused is an edge.Fault in AWS's words. Everything is safe for concurrent use.
package access
