// Package s3host recognizes S3's hosts, with their regions and the buckets that they name, and decides to which host URLs
// for them point.
//
//	host ─AWS's closed list, or configured─▶ Endpoint ─region of the bucket─▶ Endpoint that serves it
//
// It is pure: no I/O, no clock. Known hosts are resolved without allocating. A Resolver is safe for concurrent use.
package s3host
