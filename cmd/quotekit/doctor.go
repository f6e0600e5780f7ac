package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/store"
)

// doctorTimeout bounds each question that the doctor asks others.
const doctorTimeout = 10 * time.Second

func (p *program) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check the installation: one line each, with what to do",
		Flags: append(serviceFlags(),
			&cli.StringFlag{Name: "explain", Usage: "say why the check `NAME` matters"},
			&cli.BoolFlag{Name: "config", Usage: "list every setting and where it comes from, instead"}),
		Action: p.doctor,
	}
}

// report is what the doctor says.
type doctorReport struct {
	OK       int           `json:"ok"`
	Warnings int           `json:"warn"`
	Failures int           `json:"fail"`
	Items    []app.Finding `json:"items"`
}

func (p *program) doctor(ctx context.Context, c *cli.Command) error {
	if err := noArguments(c); err != nil {
		return err
	}
	if name := c.String("explain"); name != "" {
		text, err := app.ExplainCheck(name)
		if err != nil {
			return usagef("quotekit doctor", "%w", err)
		}
		fmt.Fprintln(p.stdout, text)
		return nil
	}
	cfg, err := p.config(c)
	if err != nil {
		return err
	}
	if c.Bool("config") {
		return p.printSettings(c, cfg)
	}
	found, err := p.find(ctx, c, cfg)
	var wrong *failure
	if errors.As(err, &wrong) { // nobody serves, and there is no database: the doctor says so
		err = nil
	}
	if err != nil {
		return err
	}
	base := found.base
	if base == "" {
		base = baseURL(cfg.Addr)
	}
	report := doctorReport{Items: app.Doctor{
		Config: cfg, Routes: handlers.Routes(), Now: p.now, BaseURL: base, Client: &http.Client{Timeout: doctorTimeout},
	}.Examine(ctx)}
	report.Items = append(report.Items, p.examineEvents(ctx, c)...)
	for _, f := range report.Items {
		switch f.Status {
		case app.FindingOK:
			report.OK++
		case app.FindingWarn:
			report.Warnings++
		case app.FindingFail:
			report.Failures++
		}
	}
	err = p.print(c, report, func(t *table) {
		for _, f := range report.Items {
			fix := ""
			if f.Fix != "" {
				fix = "fix: " + f.Fix
			}
			t.row(f.Status, f.Check, f.Found, fix)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stderr, "ok %d   warn %d   fail %d\n", report.OK, report.Warnings, report.Failures)
	if report.Failures > 0 {
		return failf(exitFailed, "quotekit doctor --explain NAME", "%d of %d checks failed", report.Failures, len(report.Items))
	}
	return nil
}

// examineEvents asks the service, or the database if nobody serves it, what has come
// and what waits.
func (p *program) examineEvents(ctx context.Context, c *cli.Command) []app.Finding {
	unseen := func(why string, args ...any) []app.Finding {
		return []app.Finding{{Check: "events", Status: app.FindingWarn, Found: "not looked at: " + fmt.Sprintf(why, args...), Fix: "see the others"}}
	}
	service, err := p.connect(ctx, c)
	if err != nil {
		return unseen("%v", err)
	}
	var o monitor.Overview
	var newest page[store.EventRecord]
	err = service.use(func(client *client) error {
		if err := client.get(ctx, eventsPath, url.Values{"limit": {"1"}}, &newest); err != nil {
			return err
		}
		return client.get(ctx, overviewPath, nil, &o)
	})
	if err != nil {
		return unseen("%v", err)
	}
	return []app.Finding{lastEvent(newest.Items, p.now()), pendingEvents(o), deadLetters(o)}
}

// quiet is how long no event may come before it is remarkable.
const quiet = 72 * time.Hour

func lastEvent(newest []store.EventRecord, now time.Time) app.Finding {
	f := app.Finding{Check: "events", Status: app.FindingWarn, Fix: "quotekit trigger customer.created, or let Stripe send one"}
	if len(newest) == 0 {
		f.Found = "none has been received yet"
		return f
	}
	at := newest[0].ReceivedAt
	f.Found = "the last came " + stamp(&at)
	if now.Sub(at) > quiet {
		f.Fix = "look at the endpoint at Stripe; quotekit reconcile imports what was missed"
		return f
	}
	f.Status, f.Fix = app.FindingOK, ""
	return f
}

// stuckAfter is how old a pending event may be: the longest of the first retries is
// over by then.
const stuckAfter = 5 * time.Minute

func pendingEvents(o monitor.Overview) app.Finding {
	f := app.Finding{Check: "pending", Status: app.FindingOK, Found: "nothing waits"}
	if o.Pending > 0 {
		age := time.Duration(o.OldestUnprocessed * float64(time.Second)).Round(time.Second)
		f.Found = fmt.Sprintf("%d wait, the oldest for %s", o.Pending, age)
		if age > stuckAfter {
			f.Status, f.Fix = app.FindingWarn, "is a worker running? quotekit events list --status "+string(quotekit.EventPending)
		}
	}
	return f
}

func deadLetters(o monitor.Overview) app.Finding {
	if o.DeadLetters == 0 {
		return app.Finding{Check: "dead-letters", Status: app.FindingOK, Found: "none"}
	}
	return app.Finding{
		Check: "dead-letters", Status: app.FindingWarn, Found: fmt.Sprintf("%d wait for a decision", o.DeadLetters), Fix: "quotekit dlq list",
	}
}

// printSettings lists every variable with its value, secrets redacted, and its origin.
func (p *program) printSettings(c *cli.Command, cfg app.Config) error {
	type setting struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
	}
	list := page[setting]{Items: []setting{}}
	for _, v := range cfg.Values() {
		origin := string(v.Origin)
		if v.From != "" {
			origin += " " + v.From
		}
		list.Items = append(list.Items, setting{v.Name, v.Value, origin})
	}
	return p.print(c, list, func(t *table) {
		t.row("VARIABLE", "VALUE", "FROM")
		for _, s := range list.Items {
			t.row(s.Name, s.Value, s.Origin)
		}
	})
}
