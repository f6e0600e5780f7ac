package quotekit

import (
	"errors"
	"fmt"
)

// ErrorCode is what programs may rely on in an error of the API.
type ErrorCode string

// The codes that are not tied to one endpoint.
const (
	EInvalid      ErrorCode = "invalid"
	EUnauthorized ErrorCode = "unauthorized"
	EForbidden    ErrorCode = "forbidden"
	ENotFound     ErrorCode = "not_found"
	EConflict     ErrorCode = "conflict"
	EUnavailable  ErrorCode = "unavailable"
	EInternal     ErrorCode = "internal"
)

// Error is an error whose message may be shown to a user.
type Error struct {
	Code    ErrorCode
	Message string
}

func (e *Error) Error() string { return e.Message }

// Errorf makes an [Error] with a message for people.
func Errorf(code ErrorCode, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first [Error] in err's chain, or [EInternal].
func CodeOf(err error) ErrorCode {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return EInternal
}

// Permanent marks err as one that another attempt cannot cure. Whoever knows
// says so; whoever schedules retries asks [IsPermanent].
func Permanent(err error) error { return &permanentError{err} }

// IsPermanent reports whether err or one it wraps was marked by [Permanent].
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

type permanentError struct{ err error }

func (p *permanentError) Error() string { return p.err.Error() }
func (p *permanentError) Unwrap() error { return p.err }
