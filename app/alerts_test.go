package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/internal/rest"
)

// TestAlerts_OfADeadEventReachPeople runs the service with a channel, and lets an
// event die.
func TestAlerts_OfADeadEventReachPeople(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		told := make(chan string, 10)
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			told <- string(body)
		}))
		t.Cleanup(receiver.Close)
		c := plainConfig(url)
		c.AlertSlackURL = receiver.URL
		c.PublicURL = "https://kit.example"
		s := mustStartWith(t, c, app.Options{})
		const id = "evt_dead"
		if got := s.post([]byte(`{"id":"` + id + `","object":"event","type":"customer.created","created":1775000000,"data":{"object":{"email":"ann@example.com"}}}`)); got.Status != "dead" {
			t.Fatalf("got %+v", got)
		}
		select {
		case text := <-told:
			if !strings.Contains(text, "1 event is in the dead letter queue") || !strings.Contains(text, "https://kit.example/dashboard/dead-letter-queue") ||
				strings.Contains(text, "ann@example.com") {
				t.Errorf("told %s", text)
			}
		case <-time.After(time.Minute):
			t.Fatal("nobody was told")
		}
		status, answer := s.askAs(token, "GET", "/v1/monitor/alerts?days_back=1", "")
		list := mustAlerts(t, answer)
		if status != http.StatusOK || len(list.Items) != 1 || list.Items[0].Rule != "dead_letters_present" || len(list.Deliveries) != 1 {
			t.Errorf("got %d %v", status, answer)
		}
	})
}

type alertList struct {
	Items      []quotekit.Alert
	Deliveries []quotekit.AlertDelivery
}

func mustAlerts(t *testing.T, answer map[string]any) (list alertList) {
	t.Helper()
	b, err := json.Marshal(answer)
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestAlerts_API has the answers that need no alert that really fires: the rows are
// put there.
func TestAlerts_API(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		t.Parallel()
		c := plainConfig(url)
		c.SupabaseJWTSecret = jwtSecret
		// Whoever only answers requests evaluates nothing.
		s := mustStartWith(t, c, app.Options{Role: app.RoleWeb})
		const firing, over = "01977f0d-0000-7000-8000-000000000001", "01977f0d-0000-7000-8000-000000000002"
		now := time.Now().UTC()
		for id, resolved := range map[string]any{firing: nil, over: now.Add(-time.Hour)} {
			state := "firing"
			if resolved != nil {
				state = "resolved"
			}
			_, err := s.Store().Writer().ExecContext(t.Context(), `
				INSERT INTO webhook_alerts (id, rule, subject, state, severity, summary, value, threshold, unit, since, updated_at, resolved_at)
				VALUES ($1, 'p95', 'invoice.paid', $2, 'warning', 'slow', 210, 200, 'ms', $3, $4, $5)`, id, state, now.Add(-2*time.Hour), now, resolved)
			if err != nil {
				t.Fatal(err)
			}
		}
		const alerts = "/v1/monitor/alerts"
		viewer := mustMint(t, jwtSecret, rest.RoleViewer)
		for _, tt := range []struct {
			token, method, path, body string
			status                    int
			want                      string
		}{
			{viewer, "GET", alerts + "/rules", "", 200, `"oldest_unprocessed"`},
			{viewer, "GET", alerts, "", 200, `"id":"` + over},
			{viewer, "GET", alerts + "?from=" + now.Add(-time.Minute).Format(time.RFC3339), "", 200, `"id":"` + firing},
			{viewer, "GET", alerts + "?days=1", "", 400, "query.days"},
			{viewer, "POST", alerts + "/" + firing + "/acknowledge", "", 403, "forbidden"},
			{viewer, "POST", alerts + "/" + firing + "/silence", `{"for":"1h"}`, 403, "forbidden"},
			{viewer, "POST", alerts + "/" + firing + "/unsilence", "", 403, "forbidden"},
			{viewer, "POST", alerts + "/test", "", 403, "forbidden"},
			{token, "POST", alerts + "/test", "", 409, "alert_channel_missing"},
			{token, "POST", alerts + "/" + firing + "/acknowledge", `{"reason":"mine"}`, 200, `"acknowledged_by":"ada"`},
			{token, "POST", alerts + "/" + firing + "/acknowledge", `{"why":"mine"}`, 400, "body"},
			{token, "POST", alerts + "/" + over + "/acknowledge", "", 409, "conflict"},
			{token, "POST", alerts + "/none/acknowledge", "", 404, "not_found"},
			{token, "POST", alerts + "/" + firing + "/silence", "", 400, "want until or for"},
			{token, "POST", alerts + "/" + firing + "/silence", `{"for":"1h","until":"2030-01-01T00:00:00Z"}`, 400, "want until or for"},
			{token, "POST", alerts + "/" + firing + "/silence", `{"for":"an hour"}`, 400, "body.for"},
			{token, "POST", alerts + "/" + firing + "/silence", `{"until":"2020-01-01T00:00:00Z"}`, 400, "past"},
			{token, "POST", alerts + "/" + firing + "/silence", `{"for":"1h","reason":"maintenance"}`, 200, `"state":"silenced"`},
			{token, "POST", alerts + "/" + firing + "/unsilence", "", 200, `"state":"acknowledged"`},
		} {
			status, answer := s.askAs(tt.token, tt.method, tt.path, tt.body)
			b, err := json.Marshal(answer)
			if err != nil {
				t.Fatal(err)
			}
			if status != tt.status || !strings.Contains(string(b), tt.want) {
				t.Errorf("%s %s %s: got %d %s, want %d with %s", tt.method, tt.path, tt.body, status, b, tt.status, tt.want)
			}
		}
		status, answer := s.askAs(viewer, "GET", alerts+"?from="+now.Add(-time.Minute).Format(time.RFC3339), "")
		if got := mustAlerts(t, answer).Items; status != 200 || len(got) != 1 || got[0].Note != "maintenance" || !strings.HasSuffix(got[0].Link, "event_type=invoice.paid") {
			t.Errorf("got %+v", got)
		}
	})
}
