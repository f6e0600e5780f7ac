package alert_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/alert"
	"github.com/quotekit/quotekit/internal/jobs"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/riverqueue/river"
)

// slow is about a subject that means something to Slack, to mail and to a URL.
var slow = map[string]alert.Condition{"p95": {
	Subject: "invoice.<!channel>&paid", Severity: quotekit.AlertWarning, Summary: "5 % took <long>\r\nBcc: eve@example.com", Value: 210, Threshold: 200,
}}

func TestDeliver_ToReceiversOfEachKind(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holdFor(time.Minute, slow)
		fired := w.only()
		w.send()

		hooks := w.receivers.take(alert.Webhook)
		if len(hooks) != 1 {
			t.Fatalf("the webhook got %d messages", len(hooks))
		}
		if err := verify(hooks[0].header.Get("QuoteKit-Signature"), hooks[0].body, w.clock.now()); err != "" {
			t.Error(err)
		}
		var hook struct {
			ID, Type string
			Alerts   []struct {
				Event string
				quotekit.Alert
			}
		}
		if err := json.Unmarshal(hooks[0].body, &hook); err != nil {
			t.Fatal(err)
		}
		a := hook.Alerts[0]
		if hook.ID == "" || hook.Type != "alerts" || len(hook.Alerts) != 1 || a.Event != "firing" || a.ID != fired.ID || a.Value != 210 ||
			a.Subject != fired.Subject || a.Link != "https://kit.example/dashboard/performance?event_type=invoice.%3C%21channel%3E%26paid" {
			t.Errorf("the webhook got %s", hooks[0].body)
		}

		slacks := w.receivers.take(alert.Slack)
		if len(slacks) != 1 {
			t.Fatalf("Slack got %d messages", len(slacks))
		}
		var text struct{ Text string }
		if err := json.Unmarshal(slacks[0].body, &text); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"*QuoteKit: p95 of invoice.&lt;!channel&gt;&amp;paid warning*", "*warning* 5 % took &lt;long&gt;",
			"<https://kit.example/dashboard/performance?event_type=invoice.%3C%21channel%3E%26paid|look>", "docs/alerts.md#p95|what to do>",
		} {
			if !strings.Contains(text.Text, want) {
				t.Errorf("Slack got %q, which lacks %q", text.Text, want)
			}
		}

		managed := w.receivers.take(alert.Alertmanager)
		if len(managed) != 1 || managed[0].path != "/api/v2/alerts" {
			t.Fatalf("Alertmanager got %+v", managed)
		}
		var posted []postable
		if err := json.Unmarshal(managed[0].body, &posted); err != nil {
			t.Fatal(err)
		}
		if p := posted[0]; len(posted) != 1 || p.Labels["alertname"] != "p95" || p.Labels["subject"] != fired.Subject ||
			p.Labels["severity"] != "warning" || !p.StartsAt.Equal(fired.Since) || !p.EndsAt.After(w.clock.now()) ||
			!strings.HasPrefix(p.GeneratorURL, "https://kit.example/") {
			t.Errorf("Alertmanager got %s", managed[0].body)
		}

		mails, to := w.receivers.mail.take()
		if len(mails) != 1 || !slices.Equal(to, []string{"ann@example.com", "ben@example.com"}) {
			t.Fatalf("%d mails for %q", len(mails), to)
		}
		for _, want := range []string{"From: <quotekit@example.com>", "Subject: [QuoteKit] p95 of", "5 % took <long> Bcc: eve@example.com", "Message-ID: <"} {
			if !strings.Contains(mails[0], want) {
				t.Errorf("got the mail\n%s\nwhich lacks %q", mails[0], want)
			}
		}
		for _, d := range w.deliveries() {
			if d.Status != "delivered" || d.Attempts != 1 || d.DoneAt == nil || d.Error != "" || *d.AlertID != fired.ID {
				t.Errorf("the log has %+v", d)
			}
		}
		w.send()
		if again := w.deliver(); len(again) > 0 || len(w.deliveries()) != 4 {
			t.Errorf("told again: %q", again)
		}
	})
}

// postable is an alert as Alertmanager takes it.
type postable struct {
	Labels           map[string]string
	StartsAt, EndsAt time.Time
	GeneratorURL     string
}

// verify checks a signature as a receiver does, by what docs/alerts.md says.
func verify(header string, body []byte, now time.Time) (problem string) {
	var at, signature string
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "t":
			at = value
		case "v1":
			signature = value
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if age := now.Sub(time.Unix(seconds, 0)); err != nil || age.Abs() > 5*time.Minute {
		return "the signature " + header + " is old"
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "." + string(body)))
	if want := hex.EncodeToString(mac.Sum(nil)); !hmac.Equal([]byte(want), []byte(signature)) {
		return "the signature " + header + " is wrong"
	}
	return ""
}

// TestDeliver_AlertmanagerForgetsWhatIsOver: severities are labels, so an alert that
// became worse ends what it was.
func TestDeliver_AlertmanagerForgetsWhatIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		firing := map[string]bool{} // by severity, as Alertmanager sees it
		hear := func() {
			w.send()
			for _, got := range w.receivers.take(alert.Alertmanager) {
				var posted []postable
				if err := json.Unmarshal(got.body, &posted); err != nil {
					t.Fatal(err)
				}
				for _, p := range posted {
					firing[p.Labels["severity"]] = p.EndsAt.After(w.clock.now())
				}
			}
		}
		for _, step := range []struct {
			conditions        map[string]alert.Condition
			warning, critical bool
		}{{late, true, false}, {later, false, true}, {nil, false, false}} {
			w.holdFor(time.Minute, step.conditions)
			hear()
			if firing["warning"] != step.warning || firing["critical"] != step.critical {
				t.Errorf("after %v: %v", step.conditions, firing)
			}
		}
	})
}

func TestDeliver_TriesAgainAndShowsNoSecret(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.receivers.answer(http.StatusInternalServerError)
		w.receivers.mail.refuseAll(true)
		w.holding(tick, dead)
		w.send()
		for _, d := range w.deliveries() {
			want := "the receiver answered 500"
			if d.Channel == alert.Email {
				want = "the mail server answered 550"
			}
			if d.Status != "pending" || d.Attempts != 1 || d.Error != want {
				t.Errorf("the log has %+v, want the error %q", d, want)
			}
		}
		w.receivers.take(alert.Webhook)
		w.send() // not due
		w.wantTold()
		w.receivers.answer(http.StatusNoContent)
		w.receivers.mail.refuseAll(false)
		w.clock.forward(alert.Pauses()[0])
		w.wantTold("firing dead_letters_present")
		for _, d := range w.deliveries() {
			if d.Status != "delivered" || d.Attempts != 2 || d.Error != "" {
				t.Errorf("the log has %+v", d)
			}
		}
		w.noSecrets()
	})
}

// noSecrets checks what was logged, and the log of deliveries.
func (w *watch) noSecrets() {
	w.t.Helper()
	text := w.log.String()
	for _, d := range w.deliveries() {
		text += d.Error
	}
	for _, planted := range []string{"in-the-url", "slack-secret", secret, "127.0.0.1", "nowhere.invalid", "ann@example.com"} {
		if strings.Contains(text, planted) {
			w.t.Errorf("the log shows %s:\n%s", planted, text)
		}
	}
	if text == "" {
		w.t.Error("nothing was logged")
	}
}

func TestDeliver_GivesUpAfterEightAttempts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.receivers.webhook.Close()
		w.receivers.slack.Config.Handler = http.RedirectHandler(w.receivers.manager.URL, http.StatusTemporaryRedirect)
		w.receivers.manager.Close()
		w.receivers.mail.refuseAll(true)
		w.holding(tick, dead)
		w.send()
		for _, pause := range alert.Pauses() {
			w.clock.forward(pause)
			w.send()
		}
		want := map[string]string{
			alert.Webhook: "connection refused", alert.Alertmanager: "connection refused", alert.Email: "the mail server answered 550",
			alert.Slack: "the receiver answered 307",
		}
		for _, d := range w.deliveries() {
			if d.Status != "failed" || d.Attempts != 8 || d.Error != want[d.Channel] || d.DoneAt == nil {
				t.Errorf("the log has %+v, want the error %q", d, want[d.Channel])
			}
		}
		w.noSecrets()
	})
}

// TestDeliver_FindsMessagesWhoseJobWasLost: the job is gone, or its process died
// between claiming and noting.
func TestDeliver_FindsMessagesWhoseJobWasLost(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		scenes()[0].arrange(w)
		w.evaluate(tick)
		id := w.deliveries()[0].MessageID
		err := w.store.WithTx(t.Context(), func(tx *store.Tx) error {
			ok, err := tx.ClaimAlertMessage(t.Context(), id, 0, time.Minute)
			if !ok {
				t.Error("the message cannot be claimed")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.mustExec(`DELETE FROM river_job`)
		w.evaluate(tick)
		if got := w.jobs(); got != 0 {
			t.Fatalf("%d jobs before anything is overdue", got)
		}
		w.evaluate(3 * time.Minute)
		if got := w.jobs(); got != 4 {
			t.Errorf("got %d jobs, want one for each message", got)
		}
		w.wantTold("firing dead_letters_present")
	})
}

// jobs counts the jobs that send messages.
func (w *watch) jobs() (n int) {
	w.t.Helper()
	err := w.store.Reader().QueryRowContext(w.t.Context(), `SELECT COUNT(*) FROM river_job WHERE kind = 'alert_deliver'`).Scan(&n)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// TestDeliver_ByDoubledJobsIsDoneOnce makes the same attempt in several places.
func TestDeliver_ByDoubledJobsIsDoneOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.holding(tick, dead)
		done := make(chan error)
		for range 4 {
			go func() {
				_, err := w.Deliver(context.Background(), w.messageTo(alert.Webhook))
				done <- err
			}()
		}
		for range 4 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := w.receivers.take(alert.Webhook); len(got) != 1 {
			t.Errorf("the webhook got %d messages", len(got))
		}
	})
}

func (w *watch) messageTo(channel string) string {
	list, err := w.store.AlertDeliveries(context.Background(), 100)
	if err != nil {
		w.t.Error(err)
	}
	for _, d := range list {
		if d.Channel == channel {
			return d.MessageID
		}
	}
	return ""
}

func TestTest_GoesThroughEveryChannel(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		told, err := w.Test(t.Context(), ann)
		if err != nil || len(told) != 4 {
			t.Fatalf("got %+v, %v", told, err)
		}
		w.wantTold("test test")
		if mails, _ := w.receivers.mail.take(); len(mails) != 1 || !strings.Contains(mails[0], "Subject: [QuoteKit] a test") {
			t.Errorf("got the mails %q", mails)
		}
		if got := len(w.receivers.take(alert.Slack)) + len(w.receivers.take(alert.Alertmanager)); got != 2 {
			t.Errorf("Slack and Alertmanager got %d messages", got)
		}
		log, err := w.AlertDeliveries(t.Context(), 10)
		if err != nil || len(log) != 4 {
			t.Fatalf("the log has %+v, %v", log, err)
		}
		for _, d := range log {
			if d.Status != "delivered" || d.AlertID != nil || d.Event != "test" {
				t.Errorf("the log has %+v", d)
			}
		}
		if got := w.alerts(); len(got) != 0 {
			t.Errorf("a test is an alert: %+v", got)
		}
		none := newService(t, w.store, w.clock, alert.Channels{}, w.log)
		if _, err := none.Test(t.Context(), ann); err == nil || !strings.Contains(err.Error(), "QUOTEKIT_ALERT_SLACK_URL") {
			t.Errorf("a test without channels: %v", err)
		}
	})
}

func TestDeliver_WithoutASecretIsNotSigned(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		plain := newService(t, w.store, w.clock, alert.Channels{WebhookURL: w.receivers.webhook.URL}, w.log)
		if _, err := plain.Test(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		if _, err := plain.Deliver(t.Context(), w.messageTo(alert.Webhook)); err != nil {
			t.Fatal(err)
		}
		got := w.receivers.take(alert.Webhook)
		if len(got) != 1 || len(got[0].header.Values("QuoteKit-Signature")) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestWorkers_EvaluateAndDeliver runs River as a process does.
func TestWorkers_EvaluateAndDeliver(t *testing.T) {
	onBoth(t, func(t *testing.T, w *watch) {
		w.mustExec(`INSERT INTO webhook_dead_letter_queue (id, stripe_event_id, event_type, event_data, failure_reason)
			VALUES ($1, 'evt_1', 'customer.created', '{}', 'HANDLER_REJECTED')`, quotekit.NewID())
		workers := river.NewWorkers()
		client, err := jobs.New(w.store, workers, jobs.Config{Periodic: []*river.PeriodicJob{alert.Evaluating()}, Logger: w.Logger})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alert.New(w.store, client, workers, w.Config); err != nil {
			t.Fatal(err)
		}
		if err := client.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := client.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		deadline := time.After(time.Minute)
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for {
			list := w.deliveries()
			if len(list) == 4 && !slices.ContainsFunc(list, func(d store.AlertDelivery) bool { return d.Status != "delivered" }) {
				return
			}
			select {
			case <-look.C:
			case <-deadline:
				t.Fatalf("the log has %+v", list)
			}
		}
	})
}
