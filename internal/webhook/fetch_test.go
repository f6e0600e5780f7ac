package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// fetcherFunc is a Fetcher of one function.
type fetcherFunc func(ref stripe.Reference, notBefore time.Time) (stripe.Object, error)

func (f fetcherFunc) Current(_ context.Context, ref stripe.Reference, notBefore time.Time) (stripe.Object, error) {
	return f(ref, notBefore)
}

// seen is what the handler of the tests was given.
type seen struct{ events []quotekit.Event }

// route rejects what is stored and takes what is fetched.
func (s *seen) route(refetch bool) []quotekit.Route {
	return []quotekit.Route{{
		Type: "plain", Handler: "plain", Priority: 3, Timeout: time.Second, Refetch: refetch,
		Handle: func(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
			s.events = append(s.events, e)
			if !e.Fetched {
				return quotekit.Changes{}, quotekit.Permanent(errors.New("no use"))
			}
			return quotekit.Changes{}, nil
		},
	}}
}

const asOf = 1_775_000_500

func current(stripe.Reference, time.Time) (stripe.Object, error) {
	return stripe.Object{JSON: json.RawMessage(`{"id":"obj_1","object":"thing","name":"now"}`), AsOf: asOf}, nil
}

func TestReplay_AppliesTheCurrentObject(t *testing.T) {
	var (
		handler seen
		asked   []stripe.Reference
	)
	fetcher := fetcherFunc(func(ref stripe.Reference, notBefore time.Time) (stripe.Object, error) {
		asked = append(asked, ref)
		return current(ref, notBefore)
	})
	onBoth(t, handler.route(false), fetcher, func(k *kit) {
		handler, asked = seen{}, nil
		k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000))
		if _, err := k.service.Retry(t.Context(), "evt_1", quotekit.ReplayCurrent, k.act("fetch it")); err != nil {
			t.Fatal(err)
		}
		if got := k.work("evt_1"); got != quotekit.EventSucceeded {
			t.Fatalf("got %s", got)
		}
		if len(asked) != 1 || asked[0] != (stripe.Reference{Type: "thing", ID: "obj_1"}) {
			t.Errorf("asked for %+v", asked)
		}
		e := handler.events[len(handler.events)-1]
		if !e.Fetched || e.Created != asOf || e.Previous != nil || !strings.Contains(string(e.Object), "now") || e.ID != "evt_1" {
			t.Errorf("the handler got %+v", e)
		}
		trail := k.audits("evt_1", store.AuditRefetched)
		if len(trail) != 1 || !strings.Contains(string(trail[0].After), "2026-03-31T23:41:40Z") || !strings.Contains(string(trail[0].After), "current") {
			t.Errorf("got audit trail %+v", trail)
		}
		if retry := k.audits("evt_1", store.AuditRetry); len(retry) != 1 || !strings.Contains(string(retry[0].After), "current") {
			t.Errorf("got audit trail %+v", retry)
		}
		if letter := k.letter("evt_1"); !letter.Resolved || *letter.ResolutionNotes != "fetch it" {
			t.Errorf("got %+v", letter)
		}
	})
}

func TestReplay_WithoutAKeyIsRefused(t *testing.T) {
	var handler seen
	onBoth(t, handler.route(true), nil, func(k *kit) {
		if got := k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000)); got != quotekit.EventDead {
			t.Fatalf("got %s of a route that cannot refetch, want the payload handled at once", got)
		}
		for _, err := range []error{
			second(k.service.Retry(t.Context(), "evt_1", quotekit.ReplayCurrent, k.act(""))),
			second(k.service.Replay(t.Context(), "evt_1", quotekit.ReplayCurrent, k.act(""))),
		} {
			if quotekit.CodeOf(err) != quotekit.EConflict || !strings.Contains(err.Error(), "STRIPE_SECRET_KEY") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestRefetch_IsWhatTheRouteSaysUnlessAnOperatorSaysOtherwise(t *testing.T) {
	var handler seen
	onBoth(t, handler.route(true), fetcherFunc(current), func(k *kit) {
		if got := k.deliver(fmt.Sprintf(plainEvent, "evt_1", k.now.Load().Unix())); got != quotekit.EventPending {
			t.Fatalf("got %s, want it kept for its lane", got)
		}
		started := *k.now.Load()
		if got := k.work("evt_1"); got != quotekit.EventSucceeded {
			t.Fatalf("got %s", got)
		}
		if waited := k.now.Load().Sub(started); waited != time.Second {
			t.Errorf("waited %s, want the end of the event's own second", waited)
		}
		k.deliver(fmt.Sprintf(plainEvent, "evt_2", 1_775_000_000))
		if _, err := k.service.Replay(t.Context(), "evt_2", quotekit.ReplayStored, k.act("")); err != nil {
			t.Fatal(err)
		}
		if got := k.work("evt_2"); got != quotekit.EventDead {
			t.Errorf("got %s, want the stored payload rejected", got)
		}
	})
}

func TestFetch_ThatFailsIsAFailedAttempt(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		reason quotekit.FailureReason
		review bool
	}{
		"refused": {quotekit.Permanent(errors.New("the key has no permission")), quotekit.ReasonRejected, true},
		"busy":    {errors.New("Stripe answered 503"), quotekit.ReasonMaxRetries, false},
	} {
		t.Run(name, func(t *testing.T) {
			var handler seen
			fetcher := fetcherFunc(func(stripe.Reference, time.Time) (stripe.Object, error) { return stripe.Object{}, test.err })
			onBoth(t, handler.route(false), fetcher, func(k *kit) {
				k.deliver(fmt.Sprintf(plainEvent, "evt_1", 1_775_000_000))
				if _, err := k.service.Retry(t.Context(), "evt_1", quotekit.ReplayCurrent, k.act("")); err != nil {
					t.Fatal(err)
				}
				k.work("evt_1")
				letter := k.letter("evt_1")
				if letter.FailureReason != string(test.reason) || letter.RequiresManualReview != test.review ||
					*letter.ErrorMessage != fetchWords+test.err.Error() {
					t.Errorf("got %+v, %s", letter, *letter.ErrorMessage)
				}
			})
		})
	}
}

func TestRetry_OfAnOlderEventSaysSo(t *testing.T) {
	var handler seen
	takes := handler.route(false)
	failing := true
	takes[0].Handle = func(context.Context, quotekit.Event) (quotekit.Changes, error) {
		if failing {
			return quotekit.Changes{}, quotekit.Permanent(errors.New("no use"))
		}
		return quotekit.Changes{}, nil
	}
	onBoth(t, takes, nil, func(k *kit) {
		failing = true
		k.deliver(fmt.Sprintf(plainEvent, "evt_old", 1_775_000_000))
		k.deliver(fmt.Sprintf(plainEvent, "evt_dead", 1_775_000_100))
		if got := k.letter("evt_old").SupersededBy; got != nil {
			t.Errorf("got %+v, want only succeeded events to count", got)
		}
		failing = false
		k.deliver(fmt.Sprintf(plainEvent, "evt_new", 1_775_000_050))
		k.deliver(strings.Replace(fmt.Sprintf(plainEvent, "evt_else", 1_775_000_060), "obj_1", "obj_2", 1))
		k.deliver(strings.Replace(fmt.Sprintf(plainEvent, "evt_live", 1_775_000_070), `"data"`, `"livemode":true,"data"`, 1))
		for id, want := range map[string]string{"evt_old": "evt_new", "evt_dead": "", "evt_new": ""} {
			got, err := k.store.NewerEvent(t.Context(), id)
			if err != nil || (got == nil) != (want == "") || got != nil && (got.StripeEventID != want || got.EventCreated.Unix() != 1_775_000_050) {
				t.Errorf("%s: got %+v, %v, want %q", id, got, err, want)
			}
		}
		letters, _, err := k.store.DeadLetters(t.Context(), store.DeadLetterFilter{}, store.Page{})
		if err != nil || len(letters) != 2 {
			t.Fatalf("got %+v, %v", letters, err)
		}
		for _, l := range letters {
			if (l.SupersededBy != nil) != (l.StripeEventID == "evt_old") {
				t.Errorf("%s: got %+v", l.StripeEventID, l.SupersededBy)
			}
		}
		if _, err := k.service.Retry(t.Context(), "evt_old", "", k.act("fixed")); err != nil {
			t.Fatal(err)
		}
		k.work("evt_old")
		want := "fixed The newer event evt_new of the same object had been applied already, so the row kept its state."
		if got := k.letter("evt_old").ResolutionNotes; got == nil || *got != want {
			t.Errorf("got note %v, want %q", got, want)
		}
	})
}
