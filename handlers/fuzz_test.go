package handlers_test

import (
	"context"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/fold"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// FuzzHandlers spoils values of a fixture and sends it through every handler; see
// [stripetest.Spoil] for what the picks are.
func FuzzHandlers(f *testing.F) {
	var events [][]byte
	for i, path := range mustFixtures(f) {
		events = append(events, mustRead(f, path))
		f.Add(uint16(i), []byte{0, byte(7 * i), byte(i)})
		f.Add(uint16(i), []byte{0, byte(5 * i), 0, 0, byte(11 * i), byte(3 * i)})
	}
	f.Fuzz(func(t *testing.T, fixture uint16, picks []byte) {
		body := stripetest.Spoil(events[int(fixture)%len(events)], picks)
		e, err := stripe.ParseEvent(body)
		if err != nil && e.ID == "" {
			return // the receiver refuses it
		}
		handleAll(t, e)
	})
}

// FuzzHandlers_AnyBytes sends bytes that need not be JSON, which no receiver hands
// on: a handler must stand them all the same.
func FuzzHandlers_AnyBytes(f *testing.F) {
	for _, path := range mustFixtures(f) {
		f.Add(mustRead(f, path))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := stripe.ParseEvent(body)
		if err != nil {
			e = quotekit.Event{ID: "evt_1", Object: body, Previous: body}
		}
		handleAll(t, e)
	})
}

// handleAll runs every handler, whatever the type of the event: each answers with
// changes that hold together and can be applied, or with a permanent error, and
// none panics.
func handleAll(t *testing.T, e quotekit.Event) {
	t.Helper()
	for _, route := range handlers.Routes() {
		e.Type = route.Type
		changes, err := route.Handle(context.Background(), e)
		switch {
		case err == nil:
			checkChanges(t, changes)
			if _, err := fold.Prepare(changes.Objects); err != nil {
				t.Errorf("%s: %v", route.Type, err)
			}
		case !quotekit.IsPermanent(err):
			t.Errorf("%s: %v", route.Type, err)
		}
	}
}
