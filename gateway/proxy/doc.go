// Package proxy forwards a device's request to an upstream and returns the answer.
//
//	request ──> head written anew ──> connection of the pool ──> upstream
//	answer  <── head judged, body unframed ── filled if asked for <──┘
//
// The request to an upstream is built, not copied: the method and target as the device sent them, the headers that may pass,
// the gateway's own headers about the device, and the gateway's own framing. So the gateway and the upstream always read the
// same request.
//
// Bodies are streamed both ways, except those of answers to fill, which are read whole. A device's Connection header does not
// affect the pool's connections.
package proxy
