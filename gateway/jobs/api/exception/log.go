package exception

import (
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// Log logs refused requests, at a limited rate. It is safe for concurrent use.
type Log struct {
	*slog.Logger
	refusals edge.Refusals
}

// NewLog returns a Log over log; nil discards.
func NewLog(log *slog.Logger) *Log {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Log{Logger: log, refusals: edge.Refusals{Log: log, Limit: new(edge.LogLimit)}}
}

// WarnDenied logs denied requests as warnings, for listeners with few callers, all of whom should have access.
func (l *Log) WarnDenied() *Log {
	l.refusals.WarnDenied = true
	return l
}

// Refused logs an answer that is an error.
func (l *Log) Refused(ctx *fasthttp.RequestCtx, now time.Time, operation string, e *Exception, requestID string) {
	l.refusals.Refused(ctx, now, &e.Fault, requestID, slog.String("operation", operation))
}
