// Package presigner makes SigV4 presigned URLs for S3 objects and verifies them.
//
// It is pure: no I/O, and the clock is an argument. One URL flows through the
// steps of AWS's own document ("Authenticating Requests: Using Query
// Parameters"), each in a file of its own:
//
//	Object ──Target()──▶ Target        escaped once, signed many times   object.go, escape.go
//	Credentials ──NewSigner──▶ Signer  one role session                  credentials.go, signer.go
//	  region + day ──▶ signingKey      derived once, HMAC states kept    key.go
//	AppendURL(dst, request)            canonical request ─SHA-256─▶
//	                                   string to sign ─HMAC─▶ signature  signer.go
//	Memo                               URLs requested again and again     memo.go
//	Verify(request)                    the inverse, with the same code    verify.go
//	VerifyHeader(request)              the same for an Authorization header of any service,
//	                                   whose path is escaped once more   header.go
//
// A signed URL is a pure function of method, target, signer, lifetime and the
// second of signing, so equal requests within one second give equal bytes.
//
// S3's rules apply, which differ from other services' SigV4: the path is escaped
// exactly once and never normalised, the payload is UNSIGNED-PAYLOAD, and the
// session token is signed too. Of the headers, only host is signed.
package presigner
