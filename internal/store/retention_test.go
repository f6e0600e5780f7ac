package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/store/storetest"
)

const dayLong = 24 * time.Hour

// past is a store whose clock a test sets.
type past struct {
	*store.Store
	t   *testing.T
	now time.Time
}

// onPast gives each engine a store that begins two years ago.
func onPast(t *testing.T, f func(t *testing.T, s *past)) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			s := &past{t: t, now: time.Now().UTC().Truncate(time.Second).Add(-730 * dayLong)}
			url := storetest.SQLiteURL
			if name == "postgres" {
				url = storetest.PostgresURL
			}
			s.Store = mustOpen(t, store.Config{URL: url(t, storetest.Tables), Now: func() time.Time { return s.now }})
			f(t, s)
		})
	}
}

func (s *past) mustBegin(owner string) *store.Retention {
	s.t.Helper()
	r, err := s.BeginRetention(s.t.Context(), owner)
	if err != nil || r == nil {
		s.t.Fatalf("begin: got %v, %v", r, err)
	}
	return r
}

type deletion func(context.Context, time.Time, int) (int64, bool, error)

// mustDelete deletes pieces until it is done, and returns how many there were and what
// was deleted. No piece deletes more than the limit.
func (s *past) mustDelete(what deletion, keep time.Duration, limit int) (pieces int, deleted int64) {
	s.t.Helper()
	for done := false; !done; pieces++ {
		n, isDone, err := what(s.t.Context(), s.now.Add(-keep), limit)
		if err != nil || n > int64(limit) {
			s.t.Fatalf("got %d deleted of at most %d, %v", n, limit, err)
		}
		deleted, done = deleted+n, isDone
		if pieces > 1000 {
			s.t.Fatal("it comes to no end")
		}
	}
	return pieces, deleted
}

func (s *past) lines(query string, args ...any) string {
	s.t.Helper()
	return strings.Join(lines(s.t, s.Store, query, args...), "\n")
}

// TestRetention_OfEvents: their payloads go first, then their rows, each in small
// pieces; but not of those that are pending or have a dead letter. What is resolved
// counts from then on.
func TestRetention_OfEvents(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, "evt_1", "evt_2", "evt_3", "evt_4")
		mustReceive(t, s.Store, "a.b", quotekit.EventIgnored, "evt_5")
		mustReceive(t, s.Store, "a.b", quotekit.EventPending, "evt_pending")
		mustReceive(t, s.Store, "price.created", quotekit.EventDead, "evt_dead", "evt_late", "evt_settled")
		mustBury(t, s.Store, "class", "evt_dead", "evt_late", "evt_settled")
		resolve := func(id string) {
			t.Helper()
			mustTx(t, s.Store, func(tx *store.Tx) error {
				ok, err := tx.ResolveDeadLetter(t.Context(), quotekit.DeadLetterID(id), "no", "")
				if !ok {
					t.Errorf("%s is not resolved", id)
				}
				return err
			})
		}
		s.now = s.now.Add(dayLong)
		resolve("evt_settled")
		mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, "evt_young")
		r := s.mustBegin("me")
		const (
			payloads = `SELECT stripe_event_id FROM stripe_webhook_events WHERE payload IS NOT NULL ORDER BY stripe_event_id`
			deleted  = `SELECT stripe_event_id FROM stripe_webhook_events WHERE payload_deleted_at IS NOT NULL AND payload IS NULL ORDER BY stripe_event_id`
			events   = `SELECT stripe_event_id FROM stripe_webhook_events ORDER BY stripe_event_id`
			letters  = `SELECT stripe_event_id || ' ' || CAST(event_data AS TEXT) FROM webhook_dead_letter_queue ORDER BY stripe_event_id`
		)
		want := func(query string, ids ...string) {
			t.Helper()
			if got := strings.Fields(s.lines(query)); !slices.Equal(got, ids) {
				t.Errorf("%s: got %q, want %q", query, got, ids)
			}
		}
		mustExec(t, s.Store, `UPDATE webhook_dead_letter_queue SET event_data = '{"a":1}'`)

		s.now = s.now.Add(35*dayLong - time.Hour) // a day after the first events are 35 days old
		pieces, n := s.mustDelete(r.Payloads, 35*dayLong, 2)
		if pieces != 5 || n != 5 {
			t.Errorf("got %d payloads in %d pieces, want 5 in 5", n, pieces)
		}
		want(payloads, "evt_dead", "evt_late", "evt_pending", "evt_settled", "evt_young")
		want(deleted, "evt_1", "evt_2", "evt_3", "evt_4", "evt_5")
		if _, n := s.mustDelete(r.LetterPayloads, 35*dayLong, 2); n != 0 {
			t.Errorf("got %d letters, of which none was resolved 35 days ago", n)
		}

		s.now = s.now.Add(2 * time.Hour) // the resolved one is 35 days old, too, and the young one
		resolve("evt_late")
		if _, n := s.mustDelete(r.Payloads, 35*dayLong, 2); n != 1 {
			t.Errorf("got %d payloads, want the young one's", n)
		}
		if _, n := s.mustDelete(r.LetterPayloads, 35*dayLong, 2); n != 1 {
			t.Errorf("got %d letters, want the resolved one", n)
		}
		want(payloads, "evt_dead", "evt_late", "evt_pending")
		got := strings.Split(strings.ReplaceAll(s.lines(letters), " {", "{"), "\n")
		got[0], got[1] = strings.ReplaceAll(got[0], " ", ""), strings.ReplaceAll(got[1], " ", "")
		if !slices.Equal(got, []string{`evt_dead{"a":1}`, `evt_late{"a":1}`, `evt_settled{}`}) {
			t.Errorf("got the letters %q", got)
		}

		s.now = s.now.Add(9 * dayLong) // the first are 45 days old
		if pieces, n := s.mustDelete(r.Events, 45*dayLong, 3); pieces != 4 || n != 5 {
			t.Errorf("got %d events in %d pieces, want 5 of 9 in 4", n, pieces)
		}
		want(events, "evt_dead", "evt_late", "evt_pending", "evt_settled", "evt_young")
		s.now = s.now.Add(2 * dayLong)
		s.mustDelete(r.Events, 45*dayLong, 3)
		want(events, "evt_dead", "evt_late", "evt_pending")

		// What was kept is deleted once nothing keeps it any more.
		s.now = s.now.Add(40 * dayLong)
		if _, n := s.mustDelete(r.LetterPayloads, 35*dayLong, 3); n != 1 {
			t.Errorf("got %d letters, want the one that was resolved late", n)
		}
		mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, "evt_pending")
		s.mustDelete(r.Events, 45*dayLong, 1)
		want(events, "evt_dead")
		want(payloads, "evt_dead")

		s.now = s.now.Add(300 * dayLong)
		if _, n := s.mustDelete(r.Letters, 365*dayLong, 1); n != 1 {
			t.Errorf("got %d letters, want the one that was resolved a year ago", n)
		}
		if got := s.lines(`SELECT stripe_event_id FROM webhook_dead_letter_queue ORDER BY 1`); got != "evt_dead\nevt_late" {
			t.Errorf("got the letters %q", got)
		}
		deletedSoFar := r.Deleted()
		if deletedSoFar["payloads"] != 6 || deletedSoFar["events"] != 9 || deletedSoFar["letters"] != 1 {
			t.Errorf("got %v", deletedSoFar)
		}
		mustFold(t, s.Store)
		if got := s.lines(`SELECT events FROM webhook_event_counts WHERE granularity = 'ever' AND event_type = '' AND status = 'succeeded'`); got != "6" {
			t.Errorf("%s events are counted, want those that are gone, too", got)
		}
	})
}

// TestRetention_KeepsWhatComesBack: a payload that was deleted is there again with the
// next delivery of its event, if that is attempted.
func TestRetention_KeepsWhatComesBack(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, "evt_done")
		mustReceive(t, s.Store, "price.created", quotekit.EventDead, "evt_dead")
		s.now = s.now.Add(40 * dayLong)
		if _, n := s.mustDelete(s.mustBegin("me").Payloads, 35*dayLong, 10); n != 2 {
			t.Fatalf("got %d payloads", n)
		}
		mustTx(t, s.Store, func(tx *store.Tx) error {
			deleted, at, err := tx.PayloadDeleted(t.Context(), "evt_dead")
			if !deleted || !at.Equal(s.now) {
				t.Errorf("got %v at %v, want it at %v", deleted, at, s.now)
			}
			return err
		})
		mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, "evt_done", "evt_dead")
		got := s.lines(`SELECT stripe_event_id || ' ' || CASE WHEN payload IS NULL THEN 'gone' ELSE 'there' END || ' '
			|| CASE WHEN payload_deleted_at IS NULL THEN 'there' ELSE 'gone' END FROM stripe_webhook_events ORDER BY 1`)
		if got != "evt_dead there there\nevt_done gone gone" {
			t.Errorf("got %q", got)
		}
		mustTx(t, s.Store, func(tx *store.Tx) error {
			deleted, _, err := tx.PayloadDeleted(t.Context(), "evt_dead")
			if deleted {
				t.Error("it is deleted still")
			}
			return err
		})
	})
}

// TestRetention_WaitsForNobody: an event that somebody is about to change is left for
// later, and so are those behind it, so that none is forgotten.
func TestRetention_WaitsForNobody(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		if !s.Postgres() {
			return // it has one writer: nobody can be in the middle of something
		}
		mustReceive(t, s.Store, "a.b", quotekit.EventDead, "evt_1", "evt_2", "evt_3")
		s.now = s.now.Add(50 * dayLong)
		r := s.mustBegin("me")
		mustTx(t, s.Store, func(tx *store.Tx) error {
			if _, ok, err := tx.RearmEvent(t.Context(), "evt_2", "", quotekit.EventDead); err != nil || !ok {
				t.Fatalf("got %v, %v", ok, err)
			}
			if pieces, n := s.mustDelete(r.Payloads, 35*dayLong, 2); pieces != 1 || n != 1 {
				t.Errorf("got %d payloads in %d pieces, want the one before", n, pieces)
			}
			if _, n := s.mustDelete(r.Events, 45*dayLong, 2); n != 2 {
				t.Errorf("got %d events, want those that nobody holds", n)
			}
			return nil
		})
		if got := s.lines(`SELECT stripe_event_id FROM stripe_webhook_events WHERE payload IS NOT NULL`); got != "evt_2" {
			t.Errorf("got %q", got)
		}
		// It looks at evt_2 again, which is pending.
		mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, "evt_2")
		if _, n := s.mustDelete(r.Payloads, 35*dayLong, 2); n != 1 {
			t.Errorf("got %d payloads, want that of the event that was held", n)
		}
	})
}

// TestRetention_OneAtATimeAndResumes: another process has to wait, until the first has
// ended or is dead, and then goes on where that one was.
func TestRetention_OneAtATimeAndResumes(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		for n := range 6 {
			mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, fmt.Sprintf("evt_%d", n))
			s.now = s.now.Add(time.Second)
		}
		s.now = s.now.Add(36 * dayLong)
		first := s.mustBegin("first")
		if second, err := s.BeginRetention(t.Context(), "second"); second != nil || err != nil {
			t.Fatalf("got %v, %v while the first has it", second, err)
		}
		if n, done, err := first.Payloads(t.Context(), s.now.Add(-35*dayLong), 4); n != 4 || done || err != nil {
			t.Fatalf("got %d, %v, %v", n, done, err)
		}
		s.now = s.now.Add(store.RetentionLease + time.Second) // the first is dead
		second := s.mustBegin("second")
		if _, _, err := first.Payloads(t.Context(), s.now.Add(-35*dayLong), 4); err == nil || !strings.Contains(err.Error(), "another process") {
			t.Errorf("got %v from the one who was taken for dead", err)
		}
		if got := s.lines(`SELECT COUNT(*) FROM stripe_webhook_events WHERE payload IS NOT NULL`); got != "2" {
			t.Errorf("%s payloads are left, want two: what was refused has changed nothing", got)
		}
		if n, done, err := second.Payloads(t.Context(), s.now.Add(-35*dayLong), 4); n != 2 || !done || err != nil {
			t.Errorf("got %d, %v, %v, want the other two", n, done, err)
		}
		if got := second.Deleted()["payloads"]; got != 6 {
			t.Errorf("got %d in all, want 6", got)
		}
		if err := second.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.mustBegin("third")
	})
}

// TestRetention_OfLogsAndDeliveries deletes what is old of them, oldest first, in pieces.
func TestRetention_OfLogsAndDeliveries(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		write := func(from, to int) {
			t.Helper()
			for n := from; n < to; n++ {
				err := s.WriteLogs(t.Context(), []store.ProcessingLog{{At: s.now, StripeEventID: fmt.Sprintf("evt_%d", n), EventType: "a.b"}})
				if err != nil {
					t.Fatal(err)
				}
				mustAudit(t, s.Store, store.AuditEntry{Actor: "stripe", Action: store.AuditDelivered, StripeEventID: fmt.Sprintf("evt_%d", n)}, act(n))
				s.now = s.now.Add(time.Second)
			}
		}
		old := s.now
		write(0, 5)
		s.now = old.Add(100 * dayLong)
		write(5, 7)
		if !s.Postgres() { // its logs are dated by their ids, which come from the real clock
			mustExec(t, s.Store, `UPDATE webhook_processing_logs SET id = '00000000' || substr(id, 9) WHERE stripe_event_id < 'evt_5'`)
		}
		r := s.mustBegin("me")
		if pieces, n := s.mustDelete(r.Logs, 90*dayLong, 2); pieces != 3 || n != 5 {
			t.Errorf("got %d logs in %d pieces, want 5 in 3", n, pieces)
		}
		if got := s.lines(`SELECT stripe_event_id FROM webhook_processing_logs ORDER BY 1`); got != "evt_5\nevt_6" {
			t.Errorf("got the logs %q", got)
		}
		if pieces, n := s.mustDelete(r.Deliveries, 99*dayLong, 2); pieces != 3 || n != 5 {
			t.Errorf("got %d deliveries in %d pieces, want 5 in 3", n, pieces)
		}
		got := s.lines(`SELECT stripe_event_id FROM webhook_audit_trail WHERE action = 'event.delivered' ORDER BY 1`)
		if got != "evt_5\nevt_6" {
			t.Errorf("got the deliveries %q", got)
		}
		if lines := mustLines(t, s.Store); len(lines) != 7 {
			t.Errorf("got %d acts, want all", len(lines))
		}
	})
}

// TestRetention_CutsTheChain: of what operators did the oldest lines go, in pieces, and
// each time a line says so, so that the rest is a chain from there on.
func TestRetention_CutsTheChain(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		for n := range 5 {
			mustAudit(t, s.Store, act(n))
		}
		last := mustLines(t, s.Store)[4].Hash
		s.now = s.now.Add(200 * dayLong)
		mustAudit(t, s.Store, act(5))
		s.now = s.now.Add(200 * dayLong)
		r := s.mustBegin("me")
		if pieces, n := s.mustDelete(r.Acts, 365*dayLong, 2); pieces != 3 || n != 5 {
			t.Errorf("got %d acts in %d pieces, want 5 in 3", n, pieces)
		}
		head, err := s.ChainHead(t.Context())
		if err != nil || head.Cut != (store.ChainCut{Sequence: 5, Hash: last}) || head.Sequence != 9 {
			t.Errorf("got the head %+v, %v", head, err)
		}
		kept := mustLines(t, s.Store)
		if len(kept) != 4 || kept[0].Sequence != 6 || kept[0].Previous != last {
			t.Fatalf("got %+v", kept)
		}
		for i, l := range kept {
			if l.Hash != l.Want || i > 0 && l.Previous != kept[i-1].Hash || (l.Cut == nil) != (i == 0) {
				t.Errorf("line %d: got %+v", l.Sequence, l)
			}
		}
		if got := kept[3].Cut; *got != head.Cut {
			t.Errorf("the last line tells of the cut at %+v, want %+v", got, head.Cut)
		}
		if _, n := s.mustDelete(r.Acts, 365*dayLong, 2); n != 0 || len(mustLines(t, s.Store)) != 4 {
			t.Errorf("got %d acts and %d lines, with nothing old", n, len(mustLines(t, s.Store)))
		}
		// When all of it is old, the line that says so is left.
		s.now = s.now.Add(320 * dayLong)
		s.mustDelete(r.Acts, 91*dayLong, 100)
		if kept := mustLines(t, s.Store); len(kept) != 1 || kept[0].Cut == nil || kept[0].Cut.Sequence != 9 {
			t.Errorf("got %+v", kept)
		}
	})
}

// TestRetention_KeepsABrokenChain, as evidence: where a line is not as it was written,
// or is missing, nothing is cut off.
func TestRetention_KeepsABrokenChain(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		for n := range 4 {
			mustAudit(t, s.Store, act(n))
		}
		disable, enable := `ALTER TABLE webhook_audit_trail DISABLE TRIGGER USER`, `ALTER TABLE webhook_audit_trail ENABLE TRIGGER USER`
		if !s.Postgres() {
			disable = `DROP TRIGGER webhook_audit_trail_no_update`
			enable = `SELECT 1`
		}
		mustExec(t, s.Store, disable)
		mustExec(t, s.Store, `UPDATE webhook_audit_trail SET reason = 'another' WHERE chain_sequence = 3`)
		mustExec(t, s.Store, enable)
		s.now = s.now.Add(400 * dayLong)
		_, done, err := s.mustBegin("me").Acts(t.Context(), s.now.Add(-365*dayLong), 10)
		if err == nil || !done || !strings.Contains(err.Error(), "line 3: the chain of the audit trail is broken") {
			t.Errorf("got %v, %v", done, err)
		}
		if len(mustLines(t, s.Store)) != 4 {
			t.Error("lines are gone")
		}
		if head, err := s.ChainHead(t.Context()); err != nil || head.Cut.Sequence != 0 {
			t.Errorf("got %+v, %v", head, err)
		}
	})
}

// TestRetention_PassesTheTriggersInOneWayOnly: lines of the chain go only behind a cut,
// and a cut lets no line of the last 90 days go.
func TestRetention_PassesTheTriggersInOneWayOnly(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		mustAudit(t, s.Store, act(0), act(1))
		s.now = time.Now().UTC().Add(-80 * dayLong)
		mustAudit(t, s.Store, act(2))
		const drop = `DELETE FROM webhook_audit_trail WHERE chain_sequence = `
		for _, sequence := range []string{"1", "2", "3"} {
			if _, err := s.Writer().ExecContext(t.Context(), drop+sequence); err == nil || !strings.Contains(err.Error(), "append-only") {
				t.Errorf("line %s: got %v", sequence, err)
			}
		}
		s.now = time.Now().UTC()
		if _, _, err := s.mustBegin("me").Acts(t.Context(), s.now, 10); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("a cut of young lines: got %v", err)
		}
		if lines := mustLines(t, s.Store); len(lines) != 3 {
			t.Errorf("got %d lines, want all", len(lines))
		}
		if _, n := s.mustDelete(s.mustBegin("me").Acts, 365*dayLong, 10); n != 2 {
			t.Errorf("got %d acts, want the old ones", n)
		}
	})
}

// TestRetention_OfFigures deletes minutes and hours, and leaves days for good.
func TestRetention_OfFigures(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		figures := func() {
			t.Helper()
			var latencies []store.Latency
			for _, g := range []store.Granularity{store.Minute, store.Hour, store.Day} {
				for _, eventType := range []string{"a.b", "c.d", store.AllTypes} {
					latencies = append(latencies, store.Latency{
						Granularity: g, EventType: eventType, Bucket: g.Bucket(s.now), Writer: quotekit.NewID(), Samples: 1,
						Total: "0 0", Handle: "0 0", Wait: "0 0", Commit: "0 0",
					})
				}
			}
			err := s.WriteFigures(t.Context(), latencies, []store.Refusals{{Minute: store.Minute.Bucket(s.now), Code: "signature_missing", Writer: quotekit.NewID(), Requests: 1}})
			if err != nil {
				t.Fatal(err)
			}
		}
		for n := range 4 {
			mustReceive(t, s.Store, "a.b", quotekit.EventSucceeded, fmt.Sprintf("evt_a%d", n))
			mustReceive(t, s.Store, "c.d", quotekit.EventPending, fmt.Sprintf("evt_c%d", n))
			figures()
			s.now = s.now.Add(dayLong)
		}
		mustFold(t, s.Store)
		r := s.mustBegin("me")
		rows := func() (counts []string) {
			for _, table := range []string{"webhook_event_counts", "webhook_latencies"} {
				counts = append(counts, lines(t, s.Store, `SELECT granularity || ' ' || CAST(COUNT(*) AS TEXT) FROM `+table+` GROUP BY granularity ORDER BY granularity`)...)
			}
			return append(counts, lines(t, s.Store, `SELECT CAST(COUNT(*) AS TEXT) FROM webhook_refusals`)...)
		}
		by := func(g store.Granularity) deletion {
			return func(ctx context.Context, before time.Time, limit int) (int64, bool, error) {
				return r.Figures(ctx, g, before, limit)
			}
		}
		// Of four days the first two are old.
		if pieces, n := s.mustDelete(by(store.Minute), 2*dayLong+time.Hour, 4); n != 2*(4+3) || pieces < 4 {
			t.Errorf("got %d minutes in %d pieces, want 14", n, pieces)
		}
		if _, n := s.mustDelete(by(store.Hour), 3*dayLong+2*time.Hour, 4); n != 4+3 {
			t.Errorf("got %d hours, want 7", n)
		}
		if _, n := s.mustDelete(r.Refusals, 2*dayLong+time.Hour, 1); n != 2 {
			t.Errorf("got %d refusals, want 2", n)
		}
		want := []string{"day 16", "ever 4", "hour 12", "minute 8", "day 12", "hour 9", "minute 6", "2"}
		if got := rows(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestRetention_OfErrorGroups: with the last of its letters long resolved, what was
// decided about a group is forgotten.
func TestRetention_OfErrorGroups(t *testing.T) {
	onPast(t, func(t *testing.T, s *past) {
		mustReceive(t, s.Store, "price.created", quotekit.EventDead, "evt_1", "evt_2")
		mustBury(t, s.Store, "gone", "evt_1")
		mustBury(t, s.Store, "back", "evt_2")
		mustTx(t, s.Store, func(tx *store.Tx) error { return tx.ResolveSettled(t.Context(), []string{"evt_1", "evt_2"}, "") })
		mustBury(t, s.Store, "back", "evt_2")
		s.now = s.now.Add(400 * dayLong)
		if _, n := s.mustDelete(s.mustBegin("me").Groups, 365*dayLong, 1); n != 1 {
			t.Errorf("got %d groups, want one", n)
		}
		if got := s.lines(`SELECT error_class FROM webhook_error_groups`); got != "back" {
			t.Errorf("got %q", got)
		}
	})
}
