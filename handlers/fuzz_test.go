package handlers_test

import (
	"context"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/stripe"
)

// FuzzHandlers sends any body through every handler: each answers with changes
// that hold together or with a permanent error, and none panics.
func FuzzHandlers(f *testing.F) {
	for _, path := range mustFixtures(f) {
		f.Add(mustRead(f, path))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := stripe.ParseEvent(body)
		if err != nil {
			// Not what the receiver hands on, but a handler must stand it.
			e = quotekit.Event{ID: "evt_1", Object: body, Previous: body}
		}
		for _, route := range handlers.Routes() {
			e.Type = route.Type
			changes, err := route.Handle(context.Background(), e)
			switch {
			case err == nil:
				checkChanges(t, changes)
			case !quotekit.IsPermanent(err):
				t.Errorf("%s: %v", route.Type, err)
			}
		}
	})
}
