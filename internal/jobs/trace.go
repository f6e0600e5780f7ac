package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/tidwall/sjson"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracerName names who makes the spans.
const tracerName = "github.com/quotekit/quotekit/internal/jobs"

// tracing lets a job go on with the trace of the request that inserted it: the
// traceparent is part of the job's metadata, where other programs look for it, too
// (River's own OpenTelemetry package).
type tracing struct {
	river.MiddlewareDefaults
	tracer trace.Tracer
	logger *slog.Logger
}

// Traced returns the metadata of a job that goes on with a trace, or nil if there is
// none.
func Traced(span trace.SpanContext) []byte {
	if !span.IsValid() {
		return nil
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span), carrier)
	b, err := json.Marshal(carrier)
	if err != nil {
		return nil // a map of texts
	}
	return b
}

// InsertMany implements rivertype.JobInsertMiddleware.
func (t *tracing) InsertMany(ctx context.Context, many []*rivertype.JobInsertParams, inner func(context.Context) ([]*rivertype.JobInsertResult, error)) ([]*rivertype.JobInsertResult, error) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	for _, p := range many {
		if traceOf(p.Metadata).IsValid() {
			continue // whoever inserts it knows better
		}
		for key, value := range carrier {
			metadata, err := sjson.SetBytes(p.Metadata, key, value)
			if err != nil {
				t.logger.WarnContext(ctx, "a job does not go on with its trace", "kind", p.Kind, "error", err)
				break
			}
			p.Metadata = metadata
		}
	}
	return inner(ctx)
}

// Work implements rivertype.WorkerMiddleware.
func (t *tracing) Work(ctx context.Context, job *rivertype.JobRow, inner func(context.Context) error) error {
	parent := traceOf(job.Metadata)
	if !parent.IsValid() {
		return inner(ctx)
	}
	ctx, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "job "+job.Kind,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("quotekit.job.kind", job.Kind),
			attribute.String("quotekit.job.queue", job.Queue),
			attribute.Int64("quotekit.job.id", job.ID),
			attribute.Int("quotekit.job.attempt", job.Attempt),
		))
	defer span.End()
	err := inner(ctx)
	var snoozed *river.JobSnoozeError
	if err != nil && !errors.As(err, &snoozed) {
		span.SetStatus(codes.Error, "")
	}
	return err
}

func traceOf(metadata []byte) trace.SpanContext {
	var carrier struct {
		Parent string `json:"traceparent"`
		State  string `json:"tracestate"`
	}
	if len(metadata) == 0 || json.Unmarshal(metadata, &carrier) != nil {
		return trace.SpanContext{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(),
		propagation.MapCarrier{"traceparent": carrier.Parent, "tracestate": carrier.State})
	return trace.SpanContextFromContext(ctx)
}
