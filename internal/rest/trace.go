package rest

import (
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// traceRoute names the span of a request by its route, as "GET /v1/quotes/{id}".
func traceRoute(r *http.Request, pattern string) {
	ctx := r.Context()
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	route := pattern[strings.LastIndexByte(pattern, ' ')+1:] // without a method
	span.SetName(r.Method + " " + route)
	span.SetAttributes(attribute.String("http.route", route), attribute.String("quotekit.request_id", RequestIDFrom(ctx)))
}
