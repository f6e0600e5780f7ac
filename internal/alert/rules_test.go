package alert_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/alert"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// days lists an hour of former days.
func days(hour int, back ...int) (hours []time.Time) {
	for _, b := range back {
		hours = append(hours, noon.Truncate(24*time.Hour).Add(time.Duration(hour-24*b)*time.Hour))
	}
	return hours
}

// TestRules_SayWhatHolds has for each rule what is right, what is a warning and what
// is critical. A condition is written "severity subject: summary".
func TestRules_SayWhatHolds(t *testing.T) {
	rate := func(decided, dead int64) alert.Measures {
		return alert.Measures{Types: []alert.TypeMeasures{
			{EventType: "invoice.paid", Decided: decided, Dead: dead}, {EventType: "customer.created", Decided: 1000},
		}}
	}
	slow := func(samples int64, ms, target float64) alert.Measures {
		return alert.Measures{Types: []alert.TypeMeasures{{EventType: "invoice.paid", Samples: samples, P95MS: ms, TargetMS: target}}}
	}
	silent := func(d time.Duration, hours ...time.Time) alert.Measures {
		return alert.Measures{LastEvent: ago(d), Hours: hours}
	}
	seen := func(expected string, versions ...string) alert.Measures {
		m := alert.Measures{Expected: expected}
		for _, v := range versions {
			m.Versions = append(m.Versions, alert.VersionSeen{Version: v, At: noon})
		}
		return m
	}
	disk := func(free, total uint64) alert.Measures {
		return alert.Measures{Disk: &alert.Disk{Free: free, Total: total}}
	}
	batches := func(still ...time.Duration) (m alert.Measures) {
		for i, s := range still {
			m.Batches = append(m.Batches, alert.BatchProgress{ID: fmt.Sprint("job-", i), Operation: "delete_quotes", Still: ago(s)})
		}
		return m
	}
	oldest := func(age time.Duration) alert.Measures {
		return alert.Measures{Oldest: &alert.PendingEvent{ID: "evt_1", Type: "invoice.paid", Received: ago(age)}}
	}
	missed := func(events, waiting int, age time.Duration) alert.Measures {
		return alert.Measures{Missed: &alert.Missed{Events: events, Waiting: waiting, Oldest: ago(age)}}
	}
	skew := func(d time.Duration) alert.Measures {
		return alert.Measures{Clocks: map[string]time.Duration{"Stripe": d, "the database": 0}}
	}
	const gib = 1 << 30
	for _, test := range []struct {
		rule string
		m    alert.Measures
		want string
	}{
		{"dead_letters_present", alert.Measures{}, ""},
		{"dead_letters_present", alert.Measures{DeadLetters: 1}, "warning : 1 event is in the dead letter queue."},
		{"dead_letters_present", alert.Measures{DeadLetters: 10_000, AtLeast: true}, "critical : at least 10,000 events are in the dead letter queue."},
		{"oldest_unprocessed", alert.Measures{}, ""},
		{"oldest_unprocessed", oldest(59 * time.Second), ""},
		{"oldest_unprocessed", oldest(time.Minute), "warning : The event evt_1 (invoice.paid) was received 60 seconds ago and is not processed."},
		{"oldest_unprocessed", oldest(41 * time.Minute), "critical : The event evt_1 (invoice.paid) was received 41 minutes ago and is not processed."},
		{"success_rate", rate(19, 19), ""},
		{"success_rate", rate(100, 5), ""},
		{"success_rate", rate(100, 6), "warning invoice.paid: 94.0 % of the invoice.paid events of the last 15 minutes succeeded: 6 of 100 died."},
		{"success_rate", rate(20, 3), "critical invoice.paid: 85.0 % of the invoice.paid events of the last 15 minutes succeeded: 3 of 20 died."},
		{"p95", slow(19, 9999, 0), ""},
		{"p95", slow(20, 199, 0), ""},
		{"p95", slow(20, 200, 0), "warning invoice.paid: 5 % of the invoice.paid events of the last 15 minutes took longer than 200 ms."},
		{"p95", slow(20, 200, 250), ""},
		{"p95", slow(20, 130, 120), "warning invoice.paid: 5 % of the invoice.paid events of the last 15 minutes took longer than 130 ms."},
		{"p95", slow(20, 500, 120), "critical invoice.paid: 5 % of the invoice.paid events of the last 15 minutes took longer than 500 ms."},
		{"no_events", alert.Measures{}, ""},
		{"no_events", silent(5*time.Hour, days(9, 1, 2, 3, 4, 5, 6, 7)...), ""},
		{"no_events", silent(7 * time.Hour), ""},
		{"no_events", silent(7*time.Hour, days(9, 1, 2, 3, 4, 5, 6, 7)...), "warning : No event was received for 7 hours; the same hours of former days had some."},
		{"no_events", silent(30*time.Hour, days(9, 2, 3, 4, 5, 6, 7, 8)...), "critical : No event was received for 30 hours; the same hours of former days had some."},
		{"no_events", silent(7*time.Hour, days(22, 1, 2, 3, 4, 5, 6, 7)...), ""},                                                                  // never at this time
		{"no_events", silent(7*time.Hour, days(9, 1)...), "warning : No event was received for 7 hours; the same hours of former days had some."}, // all we know
		{"no_events", silent(7*time.Hour, days(9, 1, 2, 3, 4, 5)...), "warning : No event was received for 7 hours; the same hours of former days had some."},
		{"no_events", silent(7*time.Hour, append(days(9, 1, 2, 3, 4, 5), days(22, 8)...)...), ""}, // not on this day of the week
		{"no_events", silent(7*time.Hour, append(days(9, 1, 7), days(22, 8)...)...), ""},          // on few days
		{"signature_failures", alert.Measures{SignatureFailures: 19}, ""},
		{"signature_failures", alert.Measures{SignatureFailures: 20}, "warning : 20 requests of the last 5 minutes had no right signature."},
		{"signature_failures", alert.Measures{SignatureFailures: 1500}, "critical : 1,500 requests of the last 5 minutes had no right signature."},
		{"api_version", seen(""), ""},
		{"api_version", seen("", "2025-03-31.basil"), ""},
		{"api_version", seen("", "2025-03-31.basil", "2024-06-20"), "warning : Events of the last day have several API versions: 2025-03-31.basil, 2024-06-20."},
		{"api_version", seen("2025-03-31.basil", "2025-03-31.basil"), ""},
		{"api_version", seen("2025-03-31.basil", "2024-06-20"), "warning : Events of the last day have the API version 2024-06-20; expected is 2025-03-31.basil."},
		{"batch_stalled", batches(), ""},
		{"batch_stalled", batches(59 * time.Second), ""},
		{"batch_stalled", batches(time.Second, 90*time.Second, 61*time.Second), "warning : 2 batch jobs stand still: nothing has happened to job-1 (delete_quotes) for 90 seconds."},
		{"batch_stalled", batches(time.Hour), "critical : 1 batch job stands still: nothing has happened to job-0 (delete_quotes) for 60 minutes."},
		{"events_missed", alert.Measures{}, ""},
		{"events_missed", missed(3, 0, 49*time.Hour), "warning : 3 events were never delivered, found in Stripe's list and imported; Stripe forgets the oldest in 27 days."},
		{"events_missed", missed(1, 200, 40*24*time.Hour), "critical : 201 events were never delivered, and 200 of them are not imported; Stripe forgets the oldest in 0 days."},
		{"disk_low", alert.Measures{}, ""},
		{"disk_low", disk(2*gib, 10*gib), ""},
		{"disk_low", disk(gib/2, 10*gib), "warning : 512 MiB of 10 GiB are free where the database is."},
		{"disk_low", disk(40*gib, 1000*gib), "warning : 40 GiB of 1000 GiB are free where the database is."},
		{"disk_low", disk(gib/8, 10*gib), "critical : 128 MiB of 10 GiB are free where the database is."},
		{"clock_skew", skew(0), ""},
		{"clock_skew", skew(70 * time.Second), "warning Stripe: The clock of this machine is 70 seconds ahead of that of Stripe."},
		{"clock_skew", skew(-10 * time.Minute), "critical Stripe: The clock of this machine is 10 minutes behind that of Stripe."},
	} {
		rules := alert.Rules()
		i := slices.IndexFunc(rules, func(r alert.Rule) bool { return r.Name == test.rule })
		test.m.Now = noon
		var got []string
		for _, c := range rules[i].Found(&test.m) {
			got = append(got, fmt.Sprintf("%s %s: %s", c.Severity, c.Subject, c.Summary))
			bad := c.Value >= c.Threshold
			if rules[i].Below {
				bad = c.Value < c.Threshold
			}
			if !bad {
				t.Errorf("%s: the value %g does not pass the threshold %g", test.rule, c.Value, c.Threshold)
			}
		}
		if s := strings.Join(got, "; "); s != test.want {
			t.Errorf("%s of %+v: got %q, want %q", test.rule, test.m, s, test.want)
		}
	}
}

func TestRules_AreAllTested(t *testing.T) {
	b, err := os.ReadFile("rules_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range alert.Rules() {
		for _, severity := range []string{string(quotekit.AlertWarning), string(quotekit.AlertCritical)} {
			limit := r.Limits.Warning
			if severity == "critical" {
				limit = r.Limits.Critical
			}
			if limit != nil && !regexp.MustCompile(`\{"`+r.Name+`", .*"`+severity+` `).Match(b) {
				t.Errorf("no test has a %s of %s", severity, r.Name)
			}
		}
	}
}

// TestRules_AreDocumented compares the table with docs/alerts.md.
func TestRules_AreDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, r := range alert.Rules() {
		if !strings.Contains(page, "\n### "+r.Name+"\n") {
			t.Errorf("docs/alerts.md has no section %s", r.Name)
		}
		row := fmt.Sprintf("| [`%s`](#%s) | %s | %s | %s |", r.Name, r.Name, r.Measures, r.Unit.Text(r.Limits.Warning), r.Unit.Text(r.Limits.Critical))
		if !strings.Contains(page, row) {
			t.Errorf("docs/alerts.md does not have the row\n%s", row)
		}
	}
	if got := strings.Count(page, "\n| [`"); got != len(alert.Rules()) {
		t.Errorf("docs/alerts.md has %d rules, want %d", got, len(alert.Rules()))
	}
}

func TestParseLimits(t *testing.T) {
	got, err := alert.ParseLimits("oldest_unprocessed=120s/10m, p95=off,success_rate=98%,disk_low=2GiB/512MiB,signature_failures=/7,no_events=12h")
	if err != nil {
		t.Fatal(err)
	}
	text := func(f *float64) string {
		if f == nil {
			return "-"
		}
		return fmt.Sprint(*f)
	}
	var list []string
	for name, l := range got {
		list = append(list, fmt.Sprintf("%s %s %s %t", name, text(l.Warning), text(l.Critical), l.Off))
	}
	slices.Sort(list)
	want := []string{
		"disk_low 2.147483648e+09 5.36870912e+08 false", "no_events 43200 - false", "oldest_unprocessed 120 600 false",
		"p95 - - true", "signature_failures - 7 false", "success_rate 0.98 - false",
	}
	if !slices.Equal(list, want) {
		t.Errorf("got %q, want %q", list, want)
	}
}

func TestParseLimits_NamesTheElement(t *testing.T) {
	for text, want := range map[string]string{
		"p95":                         `has the element "p95", not RULE=WARNING/CRITICAL or RULE=off`,
		"p95=":                        `has the element "p95=", not RULE=WARNING/CRITICAL or RULE=off`,
		"":                            `has the element "", not RULE=WARNING/CRITICAL or RULE=off`,
		"p95=off,p59=200ms":           `has the element "p59=200ms", whose rule does not exist`,
		"p95=off,p95=off":             `has the rule p95 twice`,
		"p95=200":                     `has the element "p95=200": "200" is not a time like`,
		"p95=/":                       `has the element "p95=/": there is no limit`,
		"p95=300ms/200ms":             `has the element "p95=300ms/200ms": critical is below the warning`,
		"success_rate=90%/95%":        `has the element "success_rate=90%/95%": critical is above the warning`,
		"success_rate=101%":           `"101%" is not a rate`,
		"success_rate=NaN":            `"NaN" is not a rate`,
		"dead_letters_present=0":      `"0" is not a whole number`,
		"dead_letters_present=1.5":    `"1.5" is not a whole number`,
		"disk_low=-1GiB":              `"-1GiB" is not a size`,
		"oldest_unprocessed=1s/2s/3s": `"2s/3s" is not a time`,
		"oldest_unprocessed=-5s":      `"-5s" is not a time`,
		"disk_low=InfGiB":             `"InfGiB" is not a size`,
	} {
		if _, err := alert.ParseLimits(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
