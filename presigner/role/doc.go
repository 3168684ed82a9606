// Package role keeps the sessions of IAM roles alive: it asks STS AssumeRole ahead of
// need, so that whoever signs a URL finds a session that outlives it and never waits.
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
// Sessions end, and signatures count, by AWS's clock. The package measures how far the
// local clock is off, from the Date headers of signed answers, and [Set.Skew] is what to
// add to it. Every time.Time that goes in or comes out here is AWS's time, local time plus
// Skew, unless its comment says otherwise.
//
// Everything exported is safe for concurrent use.
package role
