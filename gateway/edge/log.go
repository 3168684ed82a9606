package edge

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// LogLimit limits log lines to a few a second: if a fleet causes a fault a hundred thousand times, it is logged a few times,
// and the metrics count every one. The zero LogLimit is ready for use. It is safe for concurrent use.
type LogLimit struct {
	second atomic.Int64
	lines  atomic.Int64
	missed atomic.Int64 // lines suppressed since the last call of Missed
}

const logLinesPerSecond = 10

// Allow reports whether another line may be logged at now.
func (l *LogLimit) Allow(now time.Time) bool {
	second := now.Unix()
	if last := l.second.Load(); last != second && l.second.CompareAndSwap(last, second) {
		l.lines.Store(0)
	}
	if l.lines.Add(1) <= logLinesPerSecond {
		return true
	}
	l.missed.Add(1)
	return false
}

// Missed returns how many lines were suppressed since the last call.
func (l *LogLimit) Missed() int64 { return l.missed.Swap(0) }

// Refusals logs error answers: errors of the gateway or its operator as limited warnings, errors of the client at level
// debug. Limit may be shared.
type Refusals struct {
	Log   *slog.Logger
	Limit *LogLimit
	// WarnDenied logs 401 and 403 as warnings too. It is for the operators' listener, whose few callers should have access.
	WarnDenied bool
}

// Refused logs f, the answer to ctx's request at now, with the request id returned by Write.
func (r *Refusals) Refused(ctx *fasthttp.RequestCtx, now time.Time, f *Fault, requestID string, more ...slog.Attr) {
	level := slog.LevelDebug
	if f.Status >= http.StatusInternalServerError || r.WarnDenied && (f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden) {
		level = slog.LevelWarn
	}
	if !r.Log.Enabled(context.Background(), level) || level == slog.LevelWarn && !r.Limit.Allow(now) {
		return
	}

	attrs := append([]slog.Attr{
		slog.Int("status", f.Status), slog.String("error", f.Error()),
		slog.String("method", string(ctx.Method())), slog.String("path", pathOf(ctx)), slog.String("request_id", requestID),
	}, more...)
	if missed := r.Limit.Missed(); missed > 0 {
		attrs = append(attrs, slog.Int64("not_logged", missed))
	}
	r.Log.LogAttrs(context.Background(), level, "request refused", attrs...)
}

// pathOf returns the target of ctx's request for the log, without its query, which may hold a signature.
func pathOf(ctx *fasthttp.RequestCtx) string {
	path, _, _ := bytes.Cut(ctx.Request.Header.RequestURI(), []byte("?"))
	return string(path)
}
