// Package s3host tells the hosts of S3 from others, knows their regions and the buckets that they name, and says where
// URLs for them lead.
//
//	host ─AWS's closed list, or configured─▶ Endpoint ─region of the bucket─▶ Endpoint that answers for it
//
// It is pure: no I/O, no clock. What was resolved before costs no allocation, and a Resolver is safe for concurrent use.
package s3host
