// Package objectstore is the demo's S3 and STS: it serves a folder of files, and requires the same signatures as AWS.
//
//	POST /              AssumeRole ──▶ session: keys that sign until they expire
//	GET, HEAD, PUT      ──▶ signature (query: presigner.Verify, header: Authorization)
//	/bucket/key             ──▶ folder/bucket/key, or 403, 404 … in S3's XML
//
// It is small and incomplete: one folder, path style and bucket.localhost style, ranges, ETags, versions of uploads. It
// answers as S3 does: a missing or wrong signature is SignatureDoesNotMatch, an old one "Request has expired". No key can
// reach outside the folder.
package objectstore
