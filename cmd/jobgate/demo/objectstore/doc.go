// Package objectstore is the demo's S3 and STS: a folder of files behind the same signatures that AWS asks for.
//
//	POST /              AssumeRole ──▶ session: keys that sign until they end
//	GET, HEAD, PUT      ──▶ who signed? (query: presigner.Verify, header: Authorization)
//	/bucket/key             ──▶ folder/bucket/key, or 403, 404 … in S3's XML
//
// It is small, not complete: one folder, path style and bucket.localhost style, ranges, ETags, versions of what was
// uploaded. What it does, it does as S3: no signature or a wrong one is SignatureDoesNotMatch, an old one
// "Request has expired". No key leads out of the folder.
package objectstore
