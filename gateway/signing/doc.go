// Package signing decides which session signs the URLs of a document, when they begin, how long they live, and what a role
// may sign. Documents, fill routes, the sidecar and jobs share it.
//
//	Order ──► Renderer.Moment ──► Slot ──► Body, shared if requested very often, or AppendTo the answer: copied or signed
//	            │ the first of a quantum
//	            └─► Quantum ──► Authority.Grant: session, lifetime, clamp      (Sessions, over a role.Set)
//
//	Permits: a role's policy and the limits of its documents, as jobdoc.Options
//
// The rule of quanta: URLs signed in one quantum begin with it and are identical. A quantum is at most half of a URL's life.
// It ends with the session that signs it. If that session's end shortened the URLs' life, the quantum also ends as soon as
// a new session is available.
//
// Times are AWS's: the clock, read once per request, plus the measured skew. Everything is safe for concurrent use.
package signing
