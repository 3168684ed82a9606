package storage

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"jobgate/gateway/jobs/engine"
	"jobgate/gateway/tracing"
)

// tracedEngine creates a span for each call to the store by a traced request.
type tracedEngine struct {
	engine.Engine
	system attribute.KeyValue // db.system.name
}

// Traced returns an engine that creates a span for each call to e by a traced request. h is the health of e.
func Traced(e engine.Engine, h *Health) engine.Engine {
	kind := h.kind
	if kind == "postgres" {
		kind = "postgresql" // the name in OpenTelemetry's semantic conventions
	}
	return &tracedEngine{e, attribute.String("db.system.name", kind)}
}

func (t *tracedEngine) start(ctx context.Context, operation string) (context.Context, *tracing.Span) {
	return tracing.Start(ctx, "store "+operation, trace.SpanKindClient, t.system, attribute.String("db.operation.name", operation))
}

// Pending implements engine.Engine.
func (t *tracedEngine) Pending(ctx context.Context, dst []engine.Execution, thing string) ([]engine.Execution, error) {
	ctx, span := t.start(ctx, "pending")
	dst, err := t.Engine.Pending(ctx, dst, thing)
	span.End(failed(err))
	return dst, err
}

// Execution implements engine.Engine.
func (t *tracedEngine) Execution(ctx context.Context, thing, jobID string) (engine.Execution, error) {
	ctx, span := t.start(ctx, "execution")
	e, err := t.Engine.Execution(ctx, thing, jobID)
	span.End(failed(err))
	return e, err
}

// Apply implements engine.Engine.
func (t *tracedEngine) Apply(ctx context.Context, changes []engine.Change) error {
	ctx, span := t.start(ctx, "apply")
	err := t.Engine.Apply(ctx, changes)
	span.End(failed(err))
	return err
}

// Job implements engine.Engine.
func (t *tracedEngine) Job(ctx context.Context, id string) (engine.State, error) {
	ctx, span := t.start(ctx, "job")
	s, err := t.Engine.Job(ctx, id)
	span.End(failed(err))
	return s, err
}

// View implements engine.Engine.
func (t *tracedEngine) View(ctx context.Context, read func(engine.Reader) error) error {
	ctx, span := t.start(ctx, "view")
	var own error
	err := t.Engine.View(ctx, func(r engine.Reader) error { own = read(r); return own })
	span.End(failed(engineError(err, own)))
	return err
}

// Update implements engine.Engine.
func (t *tracedEngine) Update(ctx context.Context, w engine.Work, change func(engine.Tx) error) error {
	ctx, span := t.start(ctx, "update")
	var own error
	err := t.Engine.Update(ctx, w, func(tx engine.Tx) error { own = change(tx); return own })
	span.End(failed(engineError(err, own)))
	return err
}

// failed returns err if it is a failure of the store, else nil.
func failed(err error) error {
	if kindOf(err) == "" {
		return nil
	}
	return err
}
