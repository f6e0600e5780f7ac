package handlers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

// errNoObject is what a thin event, or one without its object, ends in.
var errNoObject = errors.New("data.object is missing")

// rejected says that no other attempt can make sense of the payload of e.
func rejected(e quotekit.Event, err error) error {
	return quotekit.Permanent(fmt.Errorf("read %s: %w", e.Type, err))
}

// stageOf reads the stage off the event's type. An object that was fetched is
// what it is, whatever event it was fetched for.
func stageOf(e quotekit.Event) quotekit.Stage {
	switch {
	case e.Fetched:
		return quotekit.StageUpdated
	case strings.HasSuffix(e.Type, ".created"), e.Type == "payment_method.attached", e.Type == "checkout.session.completed":
		return quotekit.StageCreated
	case strings.HasSuffix(e.Type, ".deleted"), e.Type == "payment_method.detached":
		return quotekit.StageDeleted
	}
	return quotekit.StageUpdated
}

// decodeFunc is one of the Decode functions of package stripe.
type decodeFunc[R any] func(object, previous []byte) (stripe.Decoded[R], error)

// row is a type whose pointer is a row of the mirror.
type row[R any] interface {
	*R
	quotekit.Row
}

// read decodes the object of e as it is after the event and, where the event
// says so, as it was before. An object that was just created comes from nothing.
func read[R any](e quotekit.Event, decode decodeFunc[R]) (d stripe.Decoded[R], err error) {
	if e.Object == nil {
		return d, rejected(e, errNoObject)
	}
	previous := e.Previous
	if stageOf(e) == quotekit.StageCreated {
		previous = nil
	}
	if d, err = decode(e.Object, previous); err != nil {
		return d, rejected(e, err)
	}
	return d, nil
}

// snapshot is what e shows of its object, ordered by the event's created unless
// the kind has better numbers.
func snapshot[R any, P row[R]](e quotekit.Event, d stripe.Decoded[R]) *quotekit.Snapshot {
	s := &quotekit.Snapshot{
		Order: quotekit.Order{int64(e.Created), afterSecond(e)},
		Stage: stageOf(e),
		After: P(d.After),
	}
	if d.Before != nil { // a nil pointer in an interface would not be nil
		s.Before = P(d.Before)
	}
	return s
}

// afterSecond puts an object that was fetched after all events of its second,
// which it shows the end of.
func afterSecond(e quotekit.Event) int64 { return rank(e.Fetched) }

// claim returns the claim that e makes for user, nothing if user is empty.
func claim(e quotekit.Event, user string, source quotekit.ClaimSource) []quotekit.Claim {
	if user == "" {
		return nil
	}
	return []quotekit.Claim{{UserID: user, Created: e.Created, Source: source, EventID: e.ID}}
}

// withClaims adds claims to what e knows of its object: they concern the
// customer if there is one, else the object itself.
func withClaims(own quotekit.Change, customer *string, claims []quotekit.Claim) quotekit.Changes {
	if customer == nil || len(claims) == 0 {
		own.Facts.Claims = claims
		return quotekit.Changes{Objects: []quotekit.Change{own}}
	}
	return quotekit.Changes{Objects: []quotekit.Change{
		own,
		{Kind: quotekit.KindCustomer, ID: *customer, Facts: quotekit.Facts{Claims: claims}},
	}}
}

// date returns when e happened, for facts, in which zero means never: an event
// without a date counts as older than any other.
func date(e quotekit.Event) quotekit.Seconds {
	return max(e.Created, 1)
}

// dated dates value by e.
func dated[T any](e quotekit.Event, value T) *quotekit.Dated[T] {
	return &quotekit.Dated[T]{At: date(e), EventID: e.ID, Value: value}
}
