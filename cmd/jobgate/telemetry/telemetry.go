// Package telemetry exports OpenTelemetry traces by the standard environment variables
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/), over OTLP by HTTP. If they
// name no endpoint and no exporter, nothing is traced.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"jobgate/gateway/edge"
	"jobgate/gateway/tracing"
)

// The variables that decide whether and how traces are exported. The SDK's exporter, sampler and resource read others.
const (
	disabled       = "OTEL_SDK_DISABLED"
	exporter       = "OTEL_TRACES_EXPORTER"
	endpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	protocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	tracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// enabled reports whether the environment turns on traces. Unsupported values are an error.
func enabled(getenv func(string) string) (bool, error) {
	if strings.EqualFold(getenv(disabled), "true") {
		return false, nil
	}
	switch name := getenv(exporter); name {
	case "":
		if getenv(endpoint) == "" && getenv(tracesEndpoint) == "" {
			return false, nil
		}
	case "otlp":
	case "none":
		return false, nil
	default:
		return false, fmt.Errorf("cannot trace: %s is %q, and only otlp and none are known; set it to one of them or leave it out", exporter, name)
	}
	for _, name := range []string{tracesProtocol, protocol} {
		switch p := getenv(name); p {
		case "":
			continue
		case "http/protobuf":
		default:
			return false, fmt.Errorf("cannot trace: %s is %q, and only http/protobuf is spoken; set it so, and the endpoint to the collector's HTTP port (4318)", name, p)
		}
		break
	}
	for _, name := range []string{tracesEndpoint, endpoint} {
		if text := getenv(name); text != "" {
			u, err := url.Parse(text)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
				return false, fmt.Errorf("cannot trace: %s is not a URL, http(s)://host:port", name) // not printed: it may contain a password
			}
		}
	}
	return true, nil
}

// Traces exports spans. The zero Traces exports none.
type Traces struct {
	Tracer   *tracing.Tracer // nil: nothing is traced
	provider *sdktrace.TracerProvider
}

// Open returns an exporter for the program's spans, configured by the environment, or the zero Traces if tracing is off. It
// does not contact the collector. If the collector does not answer, spans are lost and rate-limited warnings are logged.
func Open(ctx context.Context, getenv func(string) string, version string, log *slog.Logger) (Traces, error) {
	if on, err := enabled(getenv); err != nil || !on {
		return Traces{}, err
	}
	var limit edge.LogLimit
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if limit.Allow(time.Now()) {
			log.Warn("traces are lost", "error", withoutURL(err))
		}
	}))
	of, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "jobgate"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return Traces{}, fmt.Errorf("cannot trace: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	exports, err := otlptracehttp.New(ctx)
	if err != nil {
		return Traces{}, fmt.Errorf("cannot trace: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exports), sdktrace.WithResource(of))
	return Traces{Tracer: tracing.New(provider), provider: provider}, nil
}

// withoutURL returns an error without the collector's URL, whose user part may contain a password.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// flushTime is the time limit for the export of the last spans.
const flushTime = 5 * time.Second

// Close exports the remaining spans.
func (t Traces) Close() error {
	if t.provider == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("the last traces are lost: %w", withoutURL(err))
	}
	return nil
}
