package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
)

// The exit codes.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitConfig     = 3
	exitNotAllowed = 4
	exitNotFound   = 5
	exitConflict   = 6
	exitPartly     = 7
	exitTimedOut   = 8
)

// failure is an error with its exit code and the next thing to try.
type failure struct {
	code int
	err  error
	hint string
	// fields are what is wrong in particular, one line each.
	fields []rest.FieldError
	// transient: the same request may succeed a little later.
	transient bool
}

func (f *failure) Error() string {
	text := f.err.Error()
	for _, e := range f.fields {
		text += "; " + fieldText(e)
	}
	return text
}

func (f *failure) Unwrap() error { return f.err }

func fieldText(e rest.FieldError) string { return printable(e.Location + ": " + e.Message) }

func failf(code int, hint, format string, args ...any) error {
	return &failure{code: code, err: fmt.Errorf(format, args...), hint: hint}
}

func usagef(hint, format string, args ...any) error {
	return failf(exitUsage, hint, format, args...)
}

// report tells the user about err and returns the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exitDone
	}
	f := classify(err)
	var config *app.ConfigError
	var inner *failure
	if errors.As(err, &inner) && len(inner.fields) > 0 {
		fmt.Fprintln(p.stderr, "quotekit: "+inner.err.Error())
		for _, e := range inner.fields {
			fmt.Fprintln(p.stderr, "  - "+fieldText(e))
		}
	} else if errors.As(err, &config) && len(config.Problems) > 1 {
		fmt.Fprintln(p.stderr, "quotekit: the configuration has several problems:")
		for _, problem := range config.Problems {
			fmt.Fprintln(p.stderr, "  - "+problem)
		}
	} else {
		fmt.Fprintln(p.stderr, "quotekit: "+f.Error())
	}
	if f.hint != "" {
		fmt.Fprintln(p.stderr, "try: "+f.hint)
	}
	return f.code
}

// classify finds the exit code of an error that did not bring its own.
func classify(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return &failure{code: f.code, err: err, hint: f.hint}
	}
	var config *app.ConfigError
	var taken *store.ErrSchemaTaken
	var locked *store.ErrLocked
	var library cli.ExitCoder
	switch {
	case errors.As(err, &library):
		return &failure{code: exitUsage, err: err, hint: "quotekit --help"}
	case errors.Is(err, syscall.EADDRINUSE):
		return &failure{code: exitFailed, err: err, hint: "another address with --addr, like --addr 127.0.0.1:8788"}
	case errors.As(err, &config):
		return &failure{code: exitConfig, err: err}
	case errors.As(err, &taken):
		return &failure{code: exitConfig, err: err, hint: "QUOTEKIT_SCHEMA=quotekit quotekit migrate up"}
	case errors.As(err, &locked):
		return &failure{
			code: exitConflict, err: err,
			hint: "stop the other process, or give the address of its service with --url and its token with --token",
		}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{code: exitTimedOut, err: err}
	}
	switch quotekit.CodeOf(err) {
	case quotekit.EUnauthorized, quotekit.EForbidden:
		return &failure{code: exitNotAllowed, err: err}
	case quotekit.ENotFound:
		return &failure{code: exitNotFound, err: err}
	case quotekit.EConflict:
		return &failure{code: exitConflict, err: err}
	}
	return &failure{code: exitFailed, err: err}
}
