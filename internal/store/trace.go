package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// tracerName names who makes the spans.
const tracerName = "github.com/quotekit/quotekit/internal/store"

// maxTracedSQL is how much of a statement a span has, in bytes: those of many rows
// repeat themselves.
const maxTracedSQL = 400

// system is the attribute that names the database.
func system(d Dialect) attribute.KeyValue {
	name := "sqlite"
	if d == Postgres {
		name = "postgresql"
	}
	return attribute.String("db.system.name", name)
}

// startSpan begins a part of the span in ctx. Without one it begins nothing.
func startSpan(ctx context.Context, name string, attributes ...attribute.KeyValue) context.Context {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx
	}
	ctx, _ = parent.TracerProvider().Tracer(tracerName).Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	return ctx
}

// endSpan ends what [startSpan] has begun. Of an error it has the class, since its text
// may have a value.
func endSpan(ctx context.Context, err error) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	if err != nil {
		span.SetStatus(codes.Error, "")
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			span.SetAttributes(attribute.String("db.response.status_code", refused.Code))
		}
	}
	span.End()
}

// statementTracer makes a span of every statement on Postgres that belongs to a trace:
// its text with placeholders, never its values.
type statementTracer struct{}

func statementSpan(ctx context.Context, sql string) context.Context {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx
	}
	verb, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	return startSpan(ctx, strings.ToUpper(verb),
		system(Postgres), tracedText(sql))
}

// tracedText is the beginning of a statement. A name of an application's table may be cut
// within a letter, and what is no UTF-8 cannot be sent.
func tracedText(sql string) attribute.KeyValue {
	return attribute.String("db.query.text", strings.ToValidUTF8(sql[:min(len(sql), maxTracedSQL)], ""))
}

// TraceQueryStart implements [pgx.QueryTracer].
func (statementTracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return statementSpan(ctx, data.SQL)
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (statementTracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	endSpan(ctx, data.Err)
}

// TraceBatchStart implements [pgx.BatchTracer].
func (statementTracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	return startSpan(ctx, "BATCH", system(Postgres), attribute.Int("db.operation.batch.size", data.Batch.Len()))
}

// TraceBatchQuery implements [pgx.BatchTracer].
func (statementTracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	trace.SpanFromContext(ctx).AddEvent("statement", trace.WithAttributes(tracedText(data.SQL)))
}

// TraceBatchEnd implements [pgx.BatchTracer].
func (statementTracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	endSpan(ctx, data.Err)
}
