package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

// TestBulkSummary_TellsWhatALetterIsLike: of three dead letters one was overtaken
// by a newer event of its object, one is older than Stripe remembers, and one is
// attempted already.
func TestBulkSummary_TellsWhatALetterIsLike(t *testing.T) {
	storetest.Run(t, func(t *testing.T, s *store.Store) {
		now := time.Now().UTC()
		at := func(days int) quotekit.Seconds { return quotekit.Seconds(now.AddDate(0, 0, -days).Unix()) }
		received := func(id, object string, days int, status quotekit.EventStatus) store.ReceivedEvent {
			return store.ReceivedEvent{
				Event: quotekit.Event{
					ID: id, Type: "price.updated", Created: at(days), ObjectID: object, Object: []byte(`{}`), Payload: []byte(`{}`),
				},
				Deliveries: 1, Status: status, Reason: quotekit.ReasonRejected, Message: "no use",
			}
		}
		letter := func(id, class string) store.DeadLetter {
			return store.DeadLetter{EventID: id, EventType: "price.updated", Data: "{}", Reason: quotekit.ReasonRejected, ErrorClass: class}
		}
		taskID := quotekit.NewID()
		err := s.WithTx(t.Context(), func(tx *store.Tx) error {
			_, err := tx.ReceiveEvents(t.Context(), []store.ReceivedEvent{
				received("evt_overtaken", "price_1", 2, quotekit.EventDead), received("evt_newer", "price_1", 1, quotekit.EventSucceeded),
				received("evt_old", "price_2", 31, quotekit.EventDead), received("evt_again", "price_3", 3, quotekit.EventDead),
			})
			if err == nil {
				err = tx.Bury(t.Context(), []store.DeadLetter{letter("evt_overtaken", "a"), letter("evt_old", "a"), letter("evt_again", "b")})
			}
			if err == nil {
				err = tx.InsertTask(t.Context(), store.NewTask{ID: taskID, Kind: quotekit.BulkKind, Arguments: []byte(`{}`), TokenHash: "hash"})
			}
			if err == nil {
				_, _, err = tx.InsertTaskItems(t.Context(), taskID, store.LetterSelection{Limit: 10})
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		mustRearm(t, s, "evt_again")
		got, err := s.BulkSummary(t.Context(), taskID, now.AddDate(0, 0, -30))
		if err != nil {
			t.Fatal(err)
		}
		if got.Superseded != 1 || got.Forgotten != 1 || got.UnderWay != 1 || got.Scheduled != 0 {
			t.Errorf("got %+v", got)
		}
		want := []store.BulkPart{{"price.updated", "HANDLER_REJECTED", "a", 2}, {"price.updated", "HANDLER_REJECTED", "b", 1}}
		if len(got.Parts) != 2 || got.Parts[0] != want[0] || got.Parts[1] != want[1] {
			t.Errorf("parts %+v, want %+v", got.Parts, want)
		}
		if got.FirstFailedAt == nil || got.LastFailedAt == nil || got.LastFailedAt.Before(*got.FirstFailedAt) {
			t.Errorf("from %v to %v", got.FirstFailedAt, got.LastFailedAt)
		}
		none, err := s.BulkSummary(t.Context(), quotekit.NewID(), now)
		if err != nil || none.FirstFailedAt != nil || len(none.Parts) != 0 {
			t.Errorf("of no letters: got %+v, %v", none, err)
		}
	})
}

func mustRearm(t *testing.T, s *store.Store, eventID string) {
	t.Helper()
	err := s.WithTx(t.Context(), func(tx *store.Tx) error {
		_, ok, err := tx.RearmEvent(context.Background(), eventID, quotekit.ReplayStored, quotekit.EventDead)
		if err == nil && !ok {
			t.Errorf("event %s is not dead", eventID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
