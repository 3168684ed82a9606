// Package codesign signs code files: versions of objects in S3, so that a device can tell
// that its file was not changed on the way.
//
//	profiles: key (PEM file, AWS KMS), allow, who reads the object
//	    │
//	file ─ Signer.Sign ─▶ the first profile whose allow matches
//	           │
//	           ├─ Shelf: signature kept for this key? ─▶ served, and checked against today's
//	           │         allow and key each time
//	           ├─ Shelf: digest kept? ─▶ sign it                (a version's bytes cannot change)
//	           └─ one flight for all who wait: stream the version, hash it ─▶ sign it
//
//	Signer.Kept: the same without flights, for what strangers and devices may cause
//
// Signatures are over the file's SHA-256: ECDSA in DER, RSA in PKCS #1 v1.5, as AWS
// Signer's platform for device management makes them and openssl dgst -sha256 -verify
// checks them. A [Signer] is one configuration's and immutable. The [Shelf] outlives
// reloads. Private keys never appear in errors or logs.
package codesign
