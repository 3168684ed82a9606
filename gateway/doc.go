// Package gateway answers devices: it finds the template of the job document that
// a request names, fills its placeholders with presigned URLs and writes the answer.
//
// One request reads top to bottom in Handler.Serve:
//
//	clock ─▶ identify ─▶ match ─▶ find ─▶ render ─▶ answer ─▶ account
//	          who asks    route    template  URLs     headers   metrics
//	                        │
//	                        └─ no route, or one with fill: the reverse proxy
//
// edge.HTTP, which wraps the Handler, does account. A Handler is one configuration's request handling and immutable; a Server
// owns what outlives a reload (listeners, metrics, drain) and swaps Handlers.
//
//	route.go     paths and variables        proxy.go     the reverse proxy
//	identity.go  who the device is          edge/        what is under every listener
//	document.go  templates in the cache     sidecar.go   POST /render
//	render.go    reuse within a quantum     admin.go     metrics, health, reload
//	metrics/     what is counted
//	answer.go    headers, ETag, errors      server.go    which listeners there are
package gateway
