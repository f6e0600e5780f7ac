package webhook

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/quotekit/quotekit"
)

// tracerName names who makes the spans.
const tracerName = "github.com/quotekit/quotekit/internal/webhook"

func tracerOf(span trace.Span) trace.Tracer { return span.TracerProvider().Tracer(tracerName) }

// traceGroup begins the span of a transaction that several share. Of one alone it is
// a part of that one's trace. If nobody is traced, it is none.
func traceGroup(ctx context.Context, name string, members []trace.Span) (context.Context, trace.Span) {
	var recording []trace.Span
	for _, m := range members {
		if m.IsRecording() {
			recording = append(recording, m)
		}
	}
	if len(recording) == 0 {
		return ctx, trace.SpanFromContext(context.Background())
	}
	options := []trace.SpanStartOption{trace.WithAttributes(attribute.Int("quotekit.group.size", len(members)))}
	if len(members) == 1 {
		ctx = trace.ContextWithSpan(ctx, recording[0])
	} else {
		options = append(options, trace.WithNewRoot())
		for _, m := range recording {
			options = append(options, trace.WithLinks(trace.Link{SpanContext: m.SpanContext()}))
		}
	}
	return tracerOf(recording[0]).Start(ctx, name, options...)
}

// trace tells the request of a delivery how long what took, once its group is
// committed or given up.
func (d *delivery) trace(group trace.SpanContext, status quotekit.EventStatus, started, committed time.Time) {
	if !d.span.IsRecording() {
		return
	}
	d.span.SetAttributes(
		attribute.String("stripe.event.id", d.event.ID),
		attribute.String("stripe.event.type", d.event.Type),
		attribute.String("quotekit.event.status", string(status)),
	)
	ctx := trace.ContextWithSpan(context.Background(), d.span)
	part := func(name string, from, to time.Time, options ...trace.SpanStartOption) {
		_, span := tracerOf(d.span).Start(ctx, name, append(options, trace.WithTimestamp(from))...)
		span.End(trace.WithTimestamp(to))
	}
	handled := d.arrived.Add(d.handled)
	part("handle", d.arrived, handled)
	part("wait", handled, started)
	part("commit", started, committed, trace.WithLinks(trace.Link{SpanContext: group}))
}
