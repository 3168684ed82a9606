// Package edge is the layer under every listener of the gateway, for all protocols.
//
//	socket ─► Listener.Accept ─► Conn ───────────────────────────────► Server
//	          share of the open-  deadlines, least rate and progress,   HTTP, or another
//	          files limit; 503 or PROXY protocol v2, TLS and its        that takes a net.Conn
//	          no answer over it   reload, lingering, its state
//	                                                                      │
//	                    Group: start, drain, cut off                      ▼
//	                                              HTTP: panics, limits, 408 413 431, Expect, Route (metrics, log)
//
// A connection has one wrapper, Conn (with TLS, TLSConn, whose methods HTTP servers need). It owns the socket's deadlines
// and closing, tracks whether the client has sent anything and whether the connection is Fresh, Active or Idle, and is
// listed in its Listener. A Server that is not HTTP must report a Conn's state with Of(conn).SetState, in the goroutine
// that serves it, and close the Conn when it is done; nothing more. Between SetState(Idle) and the next Read, only the
// server's own buffer may hold bytes of the connection. A connection that is silent there is parked, see Listener.Park:
// it has neither a goroutine nor a buffer until the kernel wakes it. CONNECTIONS.md lists the memory that remains.
//
// A Group runs Listeners with their Servers, and drains them: at the end of the drain, connections that still wait for
// their client are closed.
//
// A Fault is an error answer. It has two encodings: Write for devices, WriteException for AWS's own APIs.
// Refusals logs it, within a LogLimit.
package edge
