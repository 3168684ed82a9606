package api

import (
	"log/slog"
	"time"

	"github.com/valyala/fasthttp"

	"jobgate/gateway/edge"
)

// limitedLog logs refused requests.
type limitedLog struct {
	log      *slog.Logger
	refusals edge.Refusals
}

func newLimitedLog(log *slog.Logger) *limitedLog {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &limitedLog{log: log, refusals: edge.Refusals{Log: log, Limit: new(edge.LogLimit)}}
}

// refused logs an answer that is an error.
func (l *limitedLog) refused(ctx *fasthttp.RequestCtx, now time.Time, operation string, e *Exception, requestID string) {
	l.refusals.Refused(ctx, now, &e.Fault, requestID, slog.String("operation", operation))
}
