package dashboard

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

const alertsPath = Path + "/alerts"

// alertsView is the data of the page of alerts.
type alertsView struct {
	Open, Resolved []quotekit.Alert
	Deliveries     []quotekit.AlertDelivery
	Rules          []quotekit.AlertRule
	Words          string
	Silences       []silence
}

// silence is a length of time that the page offers.
type silence struct{ Age, Words string }

var silences = []silence{{"30m", "30 minutes"}, {"2h", "2 hours"}, {"8h", "8 hours"}, {"1d", "a day"}, {"7d", "a week"}}

// alerts shows what should wake somebody.
func (d *Dashboard) alerts(r *http.Request) (Answer, error) {
	in, err := d.readRange(r)
	if err != nil {
		return Answer{}, err
	}
	list, err := d.Reads.AlertList(r.Context(), in)
	if err != nil {
		return Answer{}, err
	}
	v := alertsView{Deliveries: list.Deliveries, Rules: d.Alerts.AlertRules(), Words: d.rangeWords(r), Silences: silences}
	for _, a := range list.Items {
		if a.State == quotekit.AlertResolved {
			v.Resolved = append(v.Resolved, a)
		} else {
			v.Open = append(v.Open, a)
		}
	}
	return Answer{Data: v, JSON: list, API: "/v1/monitor/alerts?" + rangeQuery(in).Encode(), Ranged: true}, nil
}

// acknowledgeAlert notes that somebody works on an alert.
func (d *Dashboard) acknowledgeAlert(r *http.Request) (Answer, error) {
	return d.actOnAlert(r, "The alert is acknowledged.", d.Alerts.Acknowledge)
}

// silenceAlert keeps an alert quiet for a while.
func (d *Dashboard) silenceAlert(r *http.Request) (Answer, error) {
	length, err := quotekit.ParseAge(r.PostFormValue("for"))
	if err != nil {
		return refused(backTo(r, alertsPath), quotekit.Errorf(quotekit.EInvalid, "Say for how long: %v.", err))
	}
	until := d.Now().Add(length)
	return d.actOnAlert(r, "The alert is silent until "+stamp(until)+".", func(ctx context.Context, id string, act quotekit.Act) (quotekit.Alert, error) {
		return d.Alerts.Silence(ctx, id, until, act)
	})
}

// unsilenceAlert ends a silence.
func (d *Dashboard) unsilenceAlert(r *http.Request) (Answer, error) {
	return d.actOnAlert(r, "The silence has ended.", d.Alerts.Unsilence)
}

func (d *Dashboard) actOnAlert(r *http.Request, done string, do func(context.Context, string, quotekit.Act) (quotekit.Alert, error)) (Answer, error) {
	to := backTo(r, alertsPath)
	id, err := uuidOf(r, "alert")
	if err != nil {
		return Answer{}, err
	}
	act, err := act(r)
	if err == nil {
		_, err = do(r.Context(), id, act)
	}
	if err != nil {
		return refused(to, err)
	}
	return Answer{To: to, Done: done}, nil
}

// testAlerts sends a test through every channel.
func (d *Dashboard) testAlerts(r *http.Request) (Answer, error) {
	act, err := act(r)
	if err != nil {
		return refused(alertsPath, err)
	}
	deliveries, err := d.Alerts.Test(r.Context(), act)
	if err != nil {
		return refused(alertsPath, err)
	}
	return Answer{To: alertsPath + "#deliveries", Done: "A test is on its way through " + plural(len(deliveries), "channel", "channels") +
		"; the deliveries below tell what comes of it."}, nil
}

// alertValue writes a value of an alert in its unit.
func alertValue(v float64, unit string) string {
	switch unit {
	case "seconds":
		return duration(time.Duration(v * float64(time.Second)))
	case "ratio":
		return percent(v)
	case "ms":
		return ms(v)
	case "bytes":
		return bytesText(v)
	}
	if v == 1 {
		unit = strings.TrimSuffix(unit, "s")
	}
	return plainNumber(v) + " " + unit
}

// limit writes a limit of a rule, which may be missing.
func limit(v *float64, rule quotekit.AlertRule) string {
	if v == nil {
		return nothing
	}
	sign := "≥ "
	if rule.Below {
		sign = "< "
	}
	return sign + alertValue(*v, rule.Unit)
}

// localLink is where an alert leads, if that is a page of ours.
func localLink(a quotekit.Alert) string {
	if isLocal(a.Link) {
		return a.Link
	}
	return ""
}
