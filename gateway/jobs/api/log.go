package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// limitedLog logs refused requests: what the gateway or its operator is at fault for as warnings, one a second at most,
// what the client is at fault for at level debug.
type limitedLog struct {
	log    *slog.Logger
	warned atomic.Int64 // Unix seconds of the last warning
	missed atomic.Int64 // warnings kept back since then
}

func newLimitedLog(log *slog.Logger) *limitedLog {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &limitedLog{log: log}
}

// refused logs an answer that is an error.
func (l *limitedLog) refused(ctx *fasthttp.RequestCtx, now time.Time, operation string, e *Exception, requestID string) {
	level, missed := slog.LevelDebug, int64(0)
	if e.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
		last := l.warned.Load()
		if last == now.Unix() || !l.warned.CompareAndSwap(last, now.Unix()) {
			l.missed.Add(1)
			return
		}
		missed = l.missed.Swap(0)
	}
	if !l.log.Enabled(context.Background(), level) {
		return
	}
	l.log.LogAttrs(context.Background(), level, "jobs: request refused",
		slog.Int("status", e.Status), slog.String("operation", operation), slog.String("error", e.Error()),
		slog.String("path", string(ctx.Path())), slog.String("request_id", requestID), slog.Int64("not_logged", missed))
}
