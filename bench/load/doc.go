// Package load simulates a fleet of devices that use an HTTP server, or AWS's jobs topics over MQTT, and measures the server.
//
//	                 ┌ open loop ──────────────────────────────┐
//	Stage, arrivals ─▶ dispatcher ─▶ queue ─▶ worker (one connection each)
//	                 │     ▲                   │   template ─▶ bytes ─▶ net.Conn
//	                 │     └─ think times ◀────┤   fasthttp.Response ─▶ check
//	                 └─────────────────────────┘   │
//	closed loop: each worker by itself             └─▶ recorder ─▶ report.Result
//
// In an open loop every request has an intended send time, drawn in advance from the rate. Latency counts from that time, so
// that a stall of the target, and all requests that wait behind it, show in the figures (no coordinated omission). In a
// closed loop each connection sends its next request after the answer, which finds the highest throughput and understates
// latency.
//
// The package also measures itself: if requests were sent late although a connection was free, or the generator used up its
// CPU, the result says so instead of stating a latency.
package load
