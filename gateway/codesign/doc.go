// Package codesign signs code files, versions of objects in S3, so that a device can
// verify that its file was not changed.
//
//	profiles: key (PEM file, AWS KMS), allow, the role that reads the object
//	    │
//	file ─ Signer.Sign ─▶ the first profile whose allow matches
//	           │
//	           ├─ Shelf: signature kept for this key? ─▶ served, after a check against the
//	           │         current allow and key
//	           ├─ Shelf: digest kept? ─▶ sign it                (a version's bytes cannot change)
//	           └─ one flight for all waiters: stream the version, hash it ─▶ sign it
//
//	Signer.Kept: the same without flights, for requests by devices and for untrusted text
//
// Signatures are over the file's SHA-256: ECDSA in DER, RSA in PKCS #1 v1.5, as made by
// AWS Signer's platform for device management and verified by openssl dgst -sha256
// -verify. A [Signer] belongs to one configuration and is immutable. The [Shelf]
// outlives reloads. Private keys never appear in errors or logs.
package codesign
