// Package proxy passes a device's request to an upstream and the answer back.
//
//	request ──> head written anew ──> connection of the pool ──> upstream
//	answer  <── head judged, body unframed ── filled if asked for <──┘
//
// What an upstream is sent is built, not copied: the method and target as the device sent them, the headers that pass,
// what the gateway itself says of the device, and a framing of the gateway's own. So nothing reaches an upstream that
// the gateway has not read as the upstream will.
//
// Bodies are streamed both ways, except those of answers that are to be filled, which are read whole. The pool's
// connections are the gateway's own matter: what a device says of its connection does not touch them.
package proxy
