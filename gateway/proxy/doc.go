// Package proxy forwards a device's request to an upstream and returns the answer.
//
//	request ──> head rebuilt ──> pooled connection ──────────────────> upstream
//	answer  <── filled on fill routes <── head checked, body unframed <──┘
//
// The request to an upstream is built, not copied: the method and target as the device sent them, the headers that may be
// forwarded, the gateway's own headers about the device, and the gateway's own framing. So the gateway and the upstream
// always read the same request.
//
// Bodies are streamed in both directions. Only an answer to be filled is read whole. A device's Connection header does
// not affect the pool's connections.
package proxy
