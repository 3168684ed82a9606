// Package objectstore is the demo's S3 and STS: a folder of files that requires the same signatures as AWS.
//
//	POST /              AssumeRole ──▶ session: keys that sign until they end
//	GET, HEAD, PUT      ──▶ who signed? (query: presigner.Verify, header: Authorization)
//	/bucket/key             ──▶ folder/bucket/key, or 403, 404 … in S3's XML
//
// It is small, not complete: one folder, path style and bucket.localhost style, ranges, ETags, versions of uploads. It
// answers as S3 does: a missing or wrong signature is SignatureDoesNotMatch, an old one "Request has expired". No key can
// reach outside the folder.
package objectstore
