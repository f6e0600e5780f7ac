package stripe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// Codes of Stripe's errors that we decide by.
const (
	resourceMissing = "resource_missing"
	lockTimeout     = "lock_timeout"
)

// APIError is an answer of Stripe's that is no success. Its text has Stripe's
// codes and never Stripe's message, which may quote what was asked for.
type APIError struct {
	Status int
	// Code and Type are Stripe's, like resource_missing and invalid_request_error;
	// they may be empty. Param is the parameter that was refused.
	Code, Type, Param string
	// Permissions are what a restricted key lacks, as Stripe names them.
	Permissions []string
	// RequestID is Stripe's id of the request.
	RequestID string

	retryAfter time.Duration
	asOf       quotekit.Seconds // as of a [reply]; zero if it has no date
}

// Error implements error.
func (e *APIError) Error() string {
	var b strings.Builder
	switch {
	case e.Status == http.StatusUnauthorized:
		b.WriteString("Stripe refuses the key in STRIPE_SECRET_KEY")
	case e.Status == http.StatusForbidden && len(e.Permissions) > 0:
		b.WriteString("the key in STRIPE_SECRET_KEY lacks the permission " + strings.Join(e.Permissions, ", "))
	case e.Status == http.StatusForbidden:
		b.WriteString("the key in STRIPE_SECRET_KEY may not do this")
	case e.Status == http.StatusTooManyRequests && e.Code == lockTimeout:
		b.WriteString("the object is being changed by another request to Stripe")
	case e.Status == http.StatusTooManyRequests:
		b.WriteString("Stripe says that there were too many requests")
	default:
		b.WriteString("Stripe's API refused a request")
	}
	fmt.Fprintf(&b, " (status %d", e.Status)
	for _, s := range []string{e.Type, e.Code, e.Param, e.RequestID} {
		if s != "" {
			b.WriteString(", " + s)
		}
	}
	return b.String() + ")"
}

// temporary reports whether the same request may succeed later.
func (e *APIError) temporary() bool {
	return e.Status >= 500 || e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout ||
		e.Code == lockTimeout
}

// IsMissing reports whether Stripe knows nothing under an id of the request: the
// object itself, or the one that a list should go on after.
func IsMissing(err error) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == resourceMissing
}

// name is what an error of Stripe's may be called by: its codes, not prose.
var (
	codeName       = regexp.MustCompile(`^[a-z0-9_\[\].]{1,80}$`)
	permissionName = regexp.MustCompile(`\brak_[a-z0-9_]{1,80}\b`)
	requestName    = regexp.MustCompile(`^req_\w{1,80}$`)
)

// apiError reads an answer that is no success. It is permanent, unless the same
// request may succeed later.
func apiError(resp *http.Response, body []byte) error {
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Type    string `json:"type"`
			Param   string `json:"param"`
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &answer) // whatever stands between Stripe and us may answer, too
	e := &APIError{
		Status: resp.StatusCode, Code: only(codeName, answer.Error.Code), Type: only(codeName, answer.Error.Type),
		Param: only(codeName, answer.Error.Param), RequestID: only(requestName, resp.Header.Get("Request-Id")),
	}
	if e.Status == http.StatusForbidden {
		e.Permissions = permissionName.FindAllString(answer.Error.Message, 5)
		slices.Sort(e.Permissions)
		e.Permissions = slices.Compact(e.Permissions)
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		e.asOf = quotekit.Seconds(date.Unix() - 1)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.retryAfter = time.Duration(min(seconds, 3600)) * time.Second
	}
	if e.temporary() {
		return e
	}
	return quotekit.Permanent(e)
}

func only(pattern *regexp.Regexp, s string) string {
	if pattern.MatchString(s) {
		return s
	}
	return ""
}

// networkFailure means that there was no answer, or only a part of one. It wraps
// nothing: an error of the network that comes from Stripe's API must not be taken
// for one of the database.
type networkFailure struct{ text string }

// Error implements error.
func (e *networkFailure) Error() string { return "no answer from Stripe's API: " + e.text }

// networkError describes err without the address, which may have a password, and
// without what was asked for.
func networkError(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return &networkFailure{"it took too long"}
	case errors.As(err, &op):
		return &networkFailure{op.Op + ": " + op.Err.Error()}
	}
	return &networkFailure{err.Error()}
}
