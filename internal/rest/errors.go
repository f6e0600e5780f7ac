package rest

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/quotekit/quotekit"
)

// Status is the HTTP status of an error code. This is the only place that says so.
func Status(code quotekit.ErrorCode) int {
	switch code {
	case quotekit.EInvalid:
		return http.StatusBadRequest
	case quotekit.EUnauthorized:
		return http.StatusUnauthorized
	case quotekit.EForbidden:
		return http.StatusForbidden
	case quotekit.ENotFound:
		return http.StatusNotFound
	case quotekit.EConflict:
		return http.StatusConflict
	case quotekit.EUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// ProblemOf turns an error into the document that the caller may see. A
// [Problem] stays what it is, a [quotekit.Error] shows its message, and of
// every other error the caller learns only that there was one.
func ProblemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var e *quotekit.Error
	if errors.As(err, &e) && e.Code != quotekit.EInternal {
		return NewProblem(Status(e.Code), e.Code, e.Message)
	}
	return NewProblem(http.StatusInternalServerError, quotekit.EInternal,
		"The service met an error it cannot explain to you. Its log has the cause under this request id.")
}

// HandlerFunc is a handler that leaves its error to be written by [Handle].
// After an error it must not have written anything.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// Handle makes an [http.Handler] of h. The error of h is answered as a problem
// document and, if it is the service's own fault, logged once.
func Handle(logger *slog.Logger, h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			WriteError(w, r, logger, err)
		}
	})
}

// WriteError answers with the problem of err and logs err if the status is 500.
func WriteError(w http.ResponseWriter, r *http.Request, logger *slog.Logger, err error) {
	p := ProblemOf(err)
	if p.Status == http.StatusInternalServerError {
		logger.ErrorContext(r.Context(), "request failed", "error", err,
			"method", r.Method, "path", r.URL.Path, "request_id", RequestIDFrom(r.Context()))
	}
	WriteProblem(w, r, p)
}
