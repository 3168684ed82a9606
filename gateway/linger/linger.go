// Package linger lets an answer arrive that is given before its request was read to the end.
//
//	client ── a request, too large ──► read in part ──► Answer: 413, end of writing ──► the rest is read and dropped
//
// A connection that is closed with bytes of the client unread is reset, and a reset discards what the client has not
// read yet, the answer among it.
package linger

import (
	"bufio"
	"io"
	"time"

	"github.com/valyala/fasthttp"
)

// What a client may still send, and for how long: more than that is reset after all.
const (
	maxTime  = time.Second
	maxBytes = 16 << 20
)

// Answer sends ctx's response, ends the writing, and drops what the client still sends until it closes. It is for a
// fasthttp.Server's ErrorHandler, as its last step: the server's own writing of the response then fails, and it closes
// the connection.
func Answer(ctx *fasthttp.RequestCtx) {
	conn := ctx.Conn()
	if conn.SetDeadline(time.Now().Add(maxTime)) != nil {
		return
	}
	ctx.SetConnectionClose()
	w := bufio.NewWriter(conn)
	if ctx.Response.Write(w) != nil || w.Flush() != nil {
		return
	}
	if c, ok := conn.(interface{ CloseWrite() error }); ok && c.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, maxBytes)) // ends with the client, the time or the bytes
	}
}
