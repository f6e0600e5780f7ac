package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
)

// TestBadInput_EndsInADocumentedPlace posts everything that Stripe should not
// send: it is refused and leaves nothing, or kept with its bytes and ends as
// documented, the same on both engines, and the service goes on.
func TestBadInput_EndsInADocumentedPlace(t *testing.T) {
	list := badInputs()
	var engines [][]string
	onBoth(t, func(t *testing.T, url string) {
		s := mustStart(t, url, app.Options{Role: app.RoleWeb})
		kept := 0
		for n, c := range list {
			id := fmt.Sprintf("bad_%d", n)
			body := []byte(strings.ReplaceAll(c.body, "$ID", id))
			t.Run(c.name, func(t *testing.T) {
				s := s.in(t)
				if len(body) > 1<<20 {
					t.Fatalf("the body has %d bytes", len(body))
				}
				if c.want == refused {
					checkProblem(t, s.mustSend(s.mustDelivery(body)), 400, refused)
					return
				}
				kept++
				status, reason, _ := strings.Cut(c.want, " ")
				checkAnswer(t, s.mustSend(s.mustDelivery(body)), id, false, status)
				if got := s.payload(id); !bytes.Equal(got, body) {
					t.Errorf("kept %d bytes of %d, or others", len(got), len(body))
				}
				s.checkDeadLetter(t, id, reason)
				if c.query == "" {
					return
				}
				if got := s.value(strings.ReplaceAll(c.query, "$ID", id)); got != c.value {
					t.Errorf("got %.200s, want %.200s", got, c.value)
				}
			})
		}
		if a := s.post(product("evt_good", "prod_good")); a.Status != succeeded {
			t.Errorf("got %+v for a good event afterwards", a)
		}
		if got := s.value("SELECT COUNT(*) AS n FROM stripe_webhook_events"); got != fmt.Sprint(kept+1) {
			t.Errorf("got %s events, want %d", got, kept+1)
		}
		events := s.query(`SELECT stripe_event_id, event_type, account, api_version, livemode, object_id, event_created, status, attempts,
deliveries, error_message, failure_reason FROM stripe_webhook_events ORDER BY stripe_event_id`)
		letters := s.query(`SELECT id, stripe_event_id, event_type, failure_reason, failure_count, requires_manual_review, resolved
FROM webhook_dead_letter_queue ORDER BY stripe_event_id`)
		engines = append(engines, slices.Concat(events, letters, s.mirrorRounded()))
	})
	if d := diff(engines[0], engines[1]); d != "" {
		t.Errorf("the engines differ:\n%.4000s", d)
	}
}

// checkDeadLetter checks the dead letter of an event, or that there is none if
// reason is empty.
func (s *service) checkDeadLetter(t *testing.T, event, reason string) {
	t.Helper()
	letters := s.query(`SELECT id, failure_reason, failure_count, requires_manual_review, resolved
FROM webhook_dead_letter_queue WHERE stripe_event_id = $1`, event)
	if reason == "" {
		checkLines(t, letters)
		return
	}
	checkLines(t, letters, fmt.Sprintf("id=%s | failure_reason=%s | failure_count=1 | requires_manual_review=true | resolved=false",
		quotekit.DeadLetterID(event), reason))
	var data []byte
	const query = "SELECT event_data FROM webhook_dead_letter_queue WHERE stripe_event_id = $1"
	if err := s.Store().Reader().QueryRow(query, event).Scan(&data); err != nil {
		t.Fatal(err)
	}
	var e struct{ ID string }
	if err := json.Unmarshal(data, &e); err != nil || e.ID != event {
		t.Errorf("got event data of %q, %v", e.ID, err)
	}
	if bytes.Contains(data, []byte(`\u0000`)) {
		t.Error("the event data have U+0000 in them")
	}
	message := s.value("SELECT error_message FROM stripe_webhook_events WHERE stripe_event_id = $1", event)
	if message == "null" || len(message) > 200 {
		t.Errorf("got error message %.300s", message)
	}
}

// mirrorRounded is the mirror with every number in one notation: JSONB writes
// numbers in another way than they came.
func (s *service) mirrorRounded() []string {
	lines := s.mirror()
	for i, line := range lines {
		if !strings.HasPrefix(line, "subscription") { // the others have no such JSON, but long lines
			continue
		}
		lines[i] = numbers.ReplaceAllStringFunc(line, func(text string) string {
			f, _ := strconv.ParseFloat(text, 64) // infinite beyond its range
			return fmt.Sprint(f)
		})
	}
	return lines
}

var numbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?`)
