package dispatch_test

import (
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"jobgate/gateway/jobs/mqtt/dispatch"
	"jobgate/gateway/tracing"
)

// TestTraced: a request is a span, a child of the sender's if that is valid, with the reason of a rejection.
func TestTraced(t *testing.T) {
	f := newFixture(t)
	f.create("j", nil)
	kept := tracetest.NewInMemoryExporter()
	d, err := dispatch.New(dispatch.Config{Service: f.Service, Documents: f.docs, Tracer: tracing.New(sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept)))})
	f.ok(err)
	ask := func(rest, parent string) tracetest.SpanStub {
		t.Helper()
		kept.Reset()
		topic, _ := dispatch.ParseTopic("$aws", []byte("$aws/things/t/jobs/"+rest))
		r := dispatch.Request{Thing: "t", Topic: topic, Now: f.now, Sender: tracing.Context{Parent: parent, State: "v=1"}}
		d.Answer(nil, &r)
		if spans := kept.GetSpans(); len(spans) != 1 {
			t.Fatalf("%s: %d spans", rest, len(spans))
		}
		return kept.GetSpans()[0]
	}
	text := func(s tracetest.SpanStub, key string) string {
		for _, a := range s.Attributes {
			if string(a.Key) == key {
				return a.Value.String()
			}
		}
		return ""
	}
	got := ask("$next/get", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if got.Name != "process DescribeJobExecution" || got.SpanKind != trace.SpanKindServer || !got.StartTime.Equal(f.now) || !got.EndTime.After(f.now.Add(-time.Hour)) {
		t.Errorf("%+v", got)
	}
	if p := got.Parent; p.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || p.SpanID().String() != "b7ad6b7169203331" || p.TraceState().String() != "v=1" {
		t.Errorf("it is below %+v", p)
	}
	if text(got, "messaging.destination.template") != "things/{thingName}/jobs/{jobId}/get" || text(got, "aws.iot.thing") != "t" || text(got, "error.type") != "" {
		t.Errorf("%+v", got.Attributes)
	}
	for _, wrong := range []string{"", "00-0-0-01", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"} {
		got := ask("none/get", wrong)
		if got.Parent.IsValid() || text(got, "error.type") != "ResourceNotFound" {
			t.Errorf("%q: below %+v, %+v", wrong, got.Parent, got.Attributes)
		}
	}
}
