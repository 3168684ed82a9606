// Package signing decides which session signs the URLs of a document, from when and for how long, and what a role may
// sign: once, for documents, fill routes, the sidecar and jobs.
//
//	Order ──► Renderer.Moment ──► Slot ──► Body, which is kept if it is asked for often, or AppendTo the answer
//	            │ the first of a quantum
//	            └─► Quantum ──► Authority.Grant: session, lifetime, clamp      (Sessions, over a role.Set)
//
//	Permits: a role's policy and the limits of its documents, as jobdoc.Options
//
// The rule of quanta: URLs that are signed in one quantum begin with it and are the same bytes. A quantum is never longer
// than half of a URL's life, ends with the session that signs it, and, where the session's end has cut the URLs' life
// short, as soon as another session is there.
//
// Times are AWS's: the request's one reading of the clock and the measured skew. Everything is safe for concurrent use.
package signing
