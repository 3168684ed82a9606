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

// LogLimit lets a few lines through a second: a fleet that meets the same fault a hundred thousand times says it a few
// times, and the metrics say how often. The zero LogLimit is ready for use; it is safe for concurrent use.
type LogLimit struct {
	second atomic.Int64
	lines  atomic.Int64
	missed atomic.Int64 // lines held back since the last one that was let through
}

const logLinesPerSecond = 10

// Allow reports whether one more line may be logged in the second of now.
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

// Missed returns how many lines were held back since it was last called.
func (l *LogLimit) Missed() int64 { return l.missed.Swap(0) }

// Refusals logs answers that are errors: what the gateway or its operator is at fault for as limited warnings, what the
// client is at fault for at level debug. Limit may be shared.
type Refusals struct {
	Log   *slog.Logger
	Limit *LogLimit
	// WarnDenied makes 401 and 403 warnings too: for a listener of operators, who are few and meant to get in.
	WarnDenied bool
}

// Refused logs f, the answer to ctx's request at now, under the request id that its Write returned.
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
