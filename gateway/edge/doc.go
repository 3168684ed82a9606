// Package edge is the layer under every listener of the gateway, for all protocols.
//
//	socket ─► Listener.Accept ─► Conn ───────────────────────────────► Server
//	          share of the open-  deadlines, least rate and progress,   HTTP, or another
//	          files limit; 503 or PROXY protocol v2, TLS and its        that takes a net.Conn
//	          nothing over it     reload, lingering, its state
//	                                                                      │
//	                    Group: start, drain, cut off                      ▼
//	                                              HTTP: panics, limits, 408 413 431, Expect, Route (metrics, log)
//
// A connection has one wrapper, Conn (TLSConn where TLS is spoken, which HTTP servers ask for). It owns the socket's
// deadlines and its end, knows whether the client has ever sent anything and whether it is Fresh, Active or Idle, and
// stands in its Listener's list. A Server that is not HTTP tells a Conn's state with Of(conn).SetState, in the goroutine
// that serves it, and closes the Conn when it is done; nothing else is asked of it. Between SetState(Idle) and the next
// Read nobody holds bytes of the connection but the server's own buffer: there it is parked when it is silent, see
// Listener.Park, and holds neither a goroutine nor a buffer until the kernel wakes it. CONNECTIONS.md says what it holds.
//
// A Group runs Listeners with their Servers, and drains them: at its end, whoever waits for a client is cut off.
//
// A Fault is an answer that is an error. It has two encodings: Write for devices, WriteException for AWS's own APIs.
// Refusals logs it, within a LogLimit.
package edge
