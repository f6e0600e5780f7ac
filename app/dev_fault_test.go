package app

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/sample"
	"github.com/quotekit/quotekit/internal/stripe"
)

func TestFaultSwitch_EveryRouteFailsUntilHealed(t *testing.T) {
	maker := sample.New(rand.NewPCG(1, 1), time.Now)
	fault := newFaultSwitch()
	for _, route := range fault.wrap(handlers.Routes()) {
		body, err := maker.Event(route.Type)
		if err != nil {
			t.Fatal(err)
		}
		whole := mustEvent(t, body)
		body, err = sample.Set(body, "data.object.metadata", FaultMark)
		if err != nil {
			t.Fatal(err)
		}
		faulty := mustEvent(t, body)

		fault.on.Store(true)
		if _, err := route.Handle(context.Background(), whole); err != nil {
			t.Errorf("%s: a whole event failed: %v", route.Type, err)
		}
		if _, err := route.Handle(context.Background(), faulty); !quotekit.IsPermanent(err) {
			t.Errorf("%s: a faulty event gave %v, want a permanent error", route.Type, err)
		}
		fault.on.Store(false)
		if _, err := route.Handle(context.Background(), faulty); err != nil {
			t.Errorf("%s: after healing: %v", route.Type, err)
		}
	}
}

func TestJourneys_HandlersTakeEveryEvent(t *testing.T) {
	routes := map[string]quotekit.Route{}
	for _, r := range handlers.Routes() {
		routes[r.Type] = r
	}
	maker := sample.New(rand.NewPCG(2, 2), time.Now)
	const user = "7f0c2d5e-0b0c-4d43-9a53-6f2c0e1d7a01"
	for range sample.Plots {
		claims := 0
		for _, e := range maker.JourneyOf(user) {
			changes, err := routes[e.Type].Handle(context.Background(), mustEvent(t, e.Body))
			if err != nil {
				t.Errorf("%s: %v", e.Type, err)
			}
			for _, c := range changes.Objects {
				if c.Snapshot != nil && c.ID != e.ObjectID {
					t.Errorf("%s: a snapshot of %s, want one of %s", e.Type, c.ID, e.ObjectID)
				}
				for _, claim := range c.Facts.Claims {
					claims++
					if claim.UserID != user {
						t.Errorf("%s claims user %s", e.Type, claim.UserID)
					}
				}
			}
		}
		if claims == 0 {
			t.Error("a journey names no user")
		}
	}
}

func TestFaultSwitch_IsForAdmins(t *testing.T) {
	fault := newFaultSwitch()
	mux := http.NewServeMux()
	fault.mount(mux, rest.OperatorTokens([]rest.Token{{Name: "dev", Secret: "s3cret"}}), slog.New(slog.DiscardHandler))
	tests := []struct {
		token, body string
		status      int
		on          bool
	}{
		{"", `{"on":false}`, 401, true},
		{"s3cret", `{}`, 400, true},
		{"s3cret", `nonsense`, 400, true},
		{"s3cret", `{"on":false}`, 200, false},
		{"s3cret", `{"on":true}`, 200, true},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/dev/fault", strings.NewReader(tt.body))
		if tt.token != "" {
			r.Header.Set("Authorization", "Bearer "+tt.token)
		}
		rec := httptest.NewRecorder()
		mux.ServeHTTP(rec, r)
		if rec.Code != tt.status || fault.on.Load() != tt.on {
			t.Errorf("%q %s: status %d, on %v; want %d, %v", tt.token, tt.body, rec.Code, fault.on.Load(), tt.status, tt.on)
		}
	}
}

func mustEvent(t *testing.T, body []byte) quotekit.Event {
	t.Helper()
	e, err := stripe.ParseEvent(body)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
