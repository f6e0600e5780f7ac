package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/store/storetest"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/stripe/stripetest"
)

// fuzzedAt is the time of the services that are fuzzed: it stands still, so that a
// header is right or wrong for good.
var fuzzedAt = time.Unix(1_775_000_000, 0)

// fuzzID stands in seeds for an id that no other delivery has. Without it nearly
// all would be deliveries of the same few events.
const fuzzID = "evt_$ID"

// fuzzed is a service on SQLite that is asked without a network.
type fuzzed struct {
	*service
	sent int
}

func mustStartFuzzed(f *testing.F) *fuzzed {
	f.Helper()
	s := mustStart(f, storetest.SQLiteURL(f, tables), app.Options{
		Role: app.RoleWeb, Now: func() time.Time { return fuzzedAt },
		Logger: slog.New(slog.DiscardHandler), // a fuzz test must not log after its seeds
	})
	return &fuzzed{service: s}
}

// fuzzedFixtures are the fixtures in the order of their names, with fuzzID.
func fuzzedFixtures(f *testing.F) [][]byte {
	f.Helper()
	all := fixtures(f)
	var events [][]byte
	for _, name := range slices.Sorted(maps.Keys(all)) {
		events = append(events, rename(f, all[name], fuzzID))
	}
	return events
}

// fresh puts an id that was not used yet for fuzzID.
func (s *fuzzed) fresh(text []byte) []byte {
	s.sent++
	return bytes.ReplaceAll(text, []byte(fuzzID), fmt.Appendf(nil, "evt_%d", s.sent))
}

// FuzzReceive delivers any body under any header, or the header beside or instead
// of right signatures.
func FuzzReceive(f *testing.F) {
	for i, event := range fuzzedFixtures(f) {
		f.Add(event, "t=1775000000,v1=00", byte(i))
	}
	for i, body := range []string{
		``, `{}`, `[]`, `null`, `{"id":"evt_$ID"}`, `{"type":"x"}`, `{"id":"evt_$ID","type":"x"}`, `{"id":"evt_$ID","type":"customer.created"}`,
		`{"id":"a","id":"evt_$ID","type":"product.created","data":[]}`, `{"id":"evt_$ID","type":"x\u0000"}`, "\ufeff{}", `{"id":7,"type":"x"}`,
		`{"\u0069d":"evt_$ID","type":"price.updated","data":{"object":{"id":"price_1"}},"livemode":0}`,
	} {
		f.Add([]byte(body), "", byte(1+4*(i%2)))
	}
	for i, header := range []string{"", "t", "t=", "t=1775000000", "v1=", "t=1,t=1775000000", ",", "v0=1", "t=-1,v1=\x00", "t=9223372036854775807,v1=é"} {
		f.Add([]byte(`{"id":"evt_$ID","type":"x"}`), header, byte(i))
	}
	s := mustStartFuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte, header string, way byte) {
		body = s.fresh(body)
		right := stripe.Sign(body, secret, fuzzedAt)
		switch way % 8 {
		case 1:
			header = right
		case 2:
			header = right + "," + header
		case 3:
			header += "," + right
		case 4:
			header = stripe.Sign(body, secret, fuzzedAt.Add(time.Duration(len(header)-300)*time.Second))
		case 5:
			header = strings.Replace(right, "v1=", "v1="+header+",v1=", 1)
		case 6:
			header = stripe.Sign(body, secret+header, fuzzedAt)
		case 7:
			header = stripe.Sign(append(body[:len(body):len(body)], header...), secret, fuzzedAt)
		}
		s.check(t, body, header)
	})
}

// FuzzReceive_SpoiltEvents delivers, rightly signed, fixtures of which some values
// are spoilt; see [stripetest.Spoil] for what the picks are.
func FuzzReceive_SpoiltEvents(f *testing.F) {
	events := fuzzedFixtures(f)
	for i := range events {
		f.Add(uint16(i), []byte{0, byte(7 * i), byte(i)})
	}
	s := mustStartFuzzed(f)
	f.Fuzz(func(t *testing.T, fixture uint16, picks []byte) {
		body := s.fresh(stripetest.Spoil(events[int(fixture)%len(events)], picks))
		s.check(t, body, stripe.Sign(body, secret, fuzzedAt))
	})
}

// check delivers body and compares the answer and the rows with what others say of
// the signature and the body: Stripe's own library and encoding/json.
func (s *fuzzed) check(t *testing.T, body []byte, header string) {
	t.Helper()
	in := s.in(t)
	before := in.look(body)
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", bytes.NewReader(body))
	req.Header["Stripe-Signature"] = []string{header}
	s.Handler().ServeHTTP(w, req)
	after := in.look(body)

	signed := webhook.ValidatePayloadIgnoringTolerance(body, header, secret) == nil
	if at, ok := stripe.SignatureTime(header); !ok || fuzzedAt.Sub(at) > 300*time.Second {
		signed = false
	}
	r := response{w.Code, w.Header(), w.Body.Bytes()}
	switch {
	case r.status == 200:
		if !signed {
			t.Fatalf("took a delivery whose signature is not right: %q", header)
		}
		checkKept(t, body, r.body, before, after)
		return
	case len(body) > 1<<20:
		checkProblem(t, r, 413, "body_too_large")
	case signed:
		checkProblem(t, r, 400, "body_invalid")
		if e, err := stripe.ParseEvent(body); e.ID != "" {
			t.Errorf("refused event %s, of which the parser says %v", e.ID, err)
		}
	case header == "":
		checkProblem(t, r, 400, "signature_missing")
	case !slices.Contains([]string{"signature_malformed", "signature_expired", "signature_mismatch"}, codeOf(r)):
		t.Errorf("got %d %s", r.status, r.body)
	default:
		checkProblem(t, r, 400, codeOf(r))
	}
	if before != after {
		t.Errorf("a refusal, %s, has changed %v to %v", codeOf(r), before, after)
	}
}

// sight is what the tables show of an event, and how much they hold at all.
type sight struct {
	status, kind string // empty without a row
	letters      int    // dead letters that are not resolved
	payload      string
	rows         [3]int
}

func (s *service) look(body []byte) (seen sight) {
	s.t.Helper()
	event, _ := stripe.ParseEvent(body)
	const query = `SELECT COALESCE(MAX(status), ''), COALESCE(MAX(event_type), ''), MAX(payload),
(SELECT COUNT(*) FROM webhook_dead_letter_queue WHERE stripe_event_id = $1 AND NOT resolved),
(SELECT COALESCE(MAX(rowid), 0) FROM stripe_webhook_events), (SELECT COALESCE(MAX(rowid), 0) FROM webhook_dead_letter_queue),
(SELECT COALESCE(MAX(rowid), 0) FROM stripe_objects)
FROM stripe_webhook_events WHERE stripe_event_id = $1`
	var payload []byte
	err := s.Store().Reader().QueryRow(query, event.ID).
		Scan(&seen.status, &seen.kind, &payload, &seen.letters, &seen.rows[0], &seen.rows[1], &seen.rows[2])
	if err != nil {
		s.t.Fatalf("look for event %q: %v", event.ID, err)
	}
	seen.payload = string(payload)
	return seen
}

func codeOf(r response) string {
	var p struct{ Code string }
	_ = json.Unmarshal(r.body, &p)
	return p.Code
}

// checkKept checks the answer to a delivery that was acknowledged against what was
// there before it and after it.
func checkKept(t *testing.T, body, answered []byte, before, after sight) {
	t.Helper()
	var a answer
	if err := json.Unmarshal(answered, &a); err != nil || !a.Received {
		t.Fatalf("got %s, %v", answered, err)
	}
	var id, kind string
	envelope := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &envelope); err != nil {
		t.Fatalf("took %q: %v", body, err)
	}
	if err := json.Unmarshal(envelope["id"], &id); err != nil || id == "" || id != a.EventID {
		t.Fatalf("answered with id %q to one that has %s", a.EventID, envelope["id"])
	}
	if err := json.Unmarshal(envelope["type"], &kind); err != nil || kind == "" {
		t.Fatalf("took one of type %s", envelope["type"])
	}
	if after.status != a.Status || !slices.Contains([]string{"succeeded", "ignored", "dead"}, a.Status) {
		t.Errorf("answered %q, kept %q", a.Status, after.status)
	}
	if want := map[string]int{"dead": 1}[after.status]; after.letters != want {
		t.Errorf("%s with %d dead letters", after.status, after.letters)
	}
	if a.Duplicate != (before.status != "") {
		t.Errorf("answered duplicate %t, was %q", a.Duplicate, before.status)
	}
	// A dead one is taken up again.
	if settled := before.status == "succeeded" || before.status == "ignored"; settled && before != after {
		t.Errorf("a duplicate has changed %v to %v", before, after)
	}
	if !a.Duplicate && (after.kind != kind || after.payload != string(body) || after.rows[0] != before.rows[0]+1) {
		t.Errorf("kept %q as %q, sent as %q; events up to %v, then %v", after.payload, after.kind, kind, before.rows, after.rows)
	}
}
