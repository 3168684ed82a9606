// Package load plays a fleet of devices against a server of HTTP, or of AWS's jobs
// topics over MQTT, and measures it.
//
//	                 ┌ open loop ──────────────────────────────┐
//	Stage, arrivals ─▶ dispatcher ─▶ queue ─▶ worker (one connection each)
//	                 │     ▲                   │   template ─▶ bytes ─▶ net.Conn
//	                 │     └─ think times ◀────┤   fasthttp.Response ─▶ check
//	                 └─────────────────────────┘   │
//	closed loop: each worker by itself             └─▶ recorder ─▶ report.Result
//
// In an open loop every request has a moment at which it is meant to be sent, drawn
// beforehand from the rate; latency counts from that moment, so that a target which
// stalls, and everybody who waits behind the stall, shows in the figures (no
// coordinated omission). In a closed loop each connection asks again when it has its
// answer, which finds the highest throughput and flatters latency.
//
// The package measures itself as well: a request that was sent late although a
// connection was free, or a generator that used up its CPU, is the generator's own
// doing, and the result then says so instead of stating a latency.
package load
