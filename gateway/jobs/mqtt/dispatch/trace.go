package dispatch

import (
	"errors"

	"go.opentelemetry.io/otel/attribute"
)

// traced is answer with a span, whose name contains neither the thing nor the job. Attributes follow OpenTelemetry's
// semantic conventions for messaging, without the payload.
func (d *Dispatcher) traced(dst []byte, r *Request) ([]byte, Code) {
	ctx, span := d.tracer.Message(r.Sender, "process "+r.Topic.Operation.String(), r.Now,
		attribute.String("messaging.system", "mqtt"),
		attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.template", "things/{thingName}/jobs/"+templates[r.Topic.Operation]),
		attribute.String("aws.iot.thing", r.Thing),
		attribute.String("aws.iot.job", string(r.Topic.Job)),
		attribute.Int("messaging.message.body.size", len(r.Payload)),
	)
	dst, code := d.answer(ctx, dst, r)
	var err error
	if code != Accepted {
		span.Set(attribute.String("error.type", code.String()))
	}
	if code == InternalError {
		err = errInternal
	}
	span.End(err)
	return dst, code
}

// errInternal is the span's error for an internal failure. The log has the cause.
var errInternal = errors.New("the request failed; see the log")

// templates are the ends of topics.
var templates = [...]string{Unknown: "{other}", GetPending: "get", StartNext: "start-next", Describe: "{jobId}/get", Update: "{jobId}/update"}
