package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Config says where traces go.
type Config struct {
	// Endpoint is the base URL of a collector that speaks OTLP over HTTP, as
	// http://localhost:4318. Empty: nothing is traced.
	Endpoint string
	// Version and Role are of this process.
	Version, Role string
	// Trusted are the addresses whose traceparent is continued.
	Trusted []netip.Prefix
	Logger  *slog.Logger
}

// Tracing is where spans come from.
type Tracing struct {
	provider *sdk.TracerProvider // nil if nothing is traced
	trusted  []netip.Prefix
}

// New makes what traces. It does not need a collector that answers.
func New(ctx context.Context, c Config) (*Tracing, error) {
	if c.Endpoint == "" {
		return &Tracing{}, nil
	}
	traces, err := url.JoinPath(c.Endpoint, "v1", "traces")
	if err != nil {
		return nil, fmt.Errorf("trace to the collector: %w", err)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(traces))
	if err != nil {
		return nil, fmt.Errorf("trace to the collector: %w", err)
	}
	process, err := resource.New(ctx,
		resource.WithAttributes(
			attribute.String("service.name", "quotekit"),
			attribute.String("service.version", c.Version),
			attribute.String("quotekit.role", c.Role),
		),
		resource.WithHost(),
		resource.WithFromEnv(), // last, so that OTEL_SERVICE_NAME overrides
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("describe the process to the collector: %w", err)
	}
	return &Tracing{
		provider: sdk.NewTracerProvider(sdk.WithBatcher(logged{exporter, c.Logger}), sdk.WithResource(process)),
		trusted:  c.Trusted,
	}, nil
}

// logged tells the log of spans that could not be delivered.
type logged struct {
	sdk.SpanExporter
	logger *slog.Logger
}

func (l logged) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := l.SpanExporter.ExportSpans(ctx, spans); err != nil {
		l.logger.Warn("traces were not delivered", "spans", len(spans), "error", err)
	}
	return nil // it would be told to a handler that all programs of a process share
}

// Close delivers what waits, until ctx ends.
func (t *Tracing) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Provider makes spans for those who begin a trace.
func (t *Tracing) Provider() trace.TracerProvider {
	if t.provider == nil {
		return noop.NewTracerProvider()
	}
	return t.provider
}

// quiet are the paths that something asks every few seconds.
var quiet = []string{"/livez", "/readyz", "/metrics"}

// Requests gives every request a span, named by the pattern of its route.
func (t *Tracing) Requests(next http.Handler) http.Handler {
	if t.provider == nil {
		return next
	}
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithPublicEndpointFn(func(r *http.Request) bool { return !t.trusts(r.RemoteAddr) }),
		otelhttp.WithFilter(func(r *http.Request) bool { return !slices.Contains(quiet, r.URL.Path) }),
	)
}

func (t *Tracing) trusts(address string) bool {
	peer, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := peer.Addr().Unmap()
	return slices.ContainsFunc(t.trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Handler adds trace_id to the lines of a log that belong to a trace.
func Handler(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }
