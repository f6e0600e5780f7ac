package webhook

import (
	"regexp"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// redact takes out of the message what the event says. Handlers are written by
// others, and an error is easily made with a value in it.
func (f *failure) redact(e quotekit.Event) {
	switch {
	case f.message == "":
	case e.Fetched:
		f.message = stripe.Redact(f.message, e.Payload, e.Object)
	default:
		f.message = stripe.Redact(f.message, e.Payload) // the object is a part of it
	}
}

// maxClass bounds the class of an error, in bytes.
const maxClass = 160

// class names the kind of a failure: the same for failures that one cause is
// likely to have, whatever event they happen to. It is the reason and what the
// message says without ids and numbers.
func (f failure) class() string {
	said := f.message
	switch f.reason {
	case quotekit.ReasonTimeout:
		if !strings.HasPrefix(said, fetchWords) {
			said = "" // it names the route's time
		}
	case quotekit.ReasonPanic:
		_, place, _ := strings.Cut(said, " panicked at ")
		return strings.TrimSpace(string(f.reason) + " " + place) // its number is a line
	case quotekit.ReasonDatabase:
		if rest, ok := strings.CutPrefix(said, "database error, "); ok {
			return string(f.reason) + " " + strings.ReplaceAll(rest, ",", "") // its number is a code
		}
	}
	class := string(f.reason) + " " + particular.ReplaceAllString(said, "…")
	if len(class) > maxClass {
		class = strings.ToValidUTF8(class[:maxClass-len("…")], "") + "…"
	}
	return strings.TrimSpace(class)
}

// particular is what tells one event from another: UUIDs, ids (which have a
// figure or a capital behind an underscore) and numbers.
var particular = regexp.MustCompile(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|` +
	`\b[a-z]+(?:_[a-z]+)*_[A-Za-z0-9]*[A-Z0-9][A-Za-z0-9]*\b|` +
	`\b0x[0-9a-f]+\b|\b[0-9]+(?:\.[0-9]+)*(?:ns|µs|ms|s|m|h)?\b`)
