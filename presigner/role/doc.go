// Package role keeps the sessions of IAM roles alive: it calls STS AssumeRole ahead of
// need, so that there is always a session that outlives a signed URL, without waiting.
//
//	aws.Config ──▶ own credentials ("")  ──AssumeRole──▶ role ──AssumeRole──▶ chained role
//	standard chain     │                                  │                      │
//	                   └── one refresher a role: ahead of need, jittered, one call in flight
//	                                                      │
//	        Role.Session ◀── atomic pointer ◀── Session: credentials and their Signer
//	        Role.Lifetime    clamp, refuse or ignore what the session cannot cover
//	        Role.Wait        cold start: one attempt for all who wait
//
// A role only ever signs with its own session, never with the credentials that assumed
// it. While STS is down the old session stays in use until it ends.
//
// # Clock
//
// Sessions and signatures expire by AWS's clock. The package measures the local clock's
// error from the Date headers of signed answers; [Set.Skew] is what to add to it. Every
// time.Time in this API is AWS's time, local time plus Skew, unless its comment says
// otherwise.
//
// Everything exported is safe for concurrent use.
package role
