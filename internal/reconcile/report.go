package reconcile

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// Report is what a reconcile has found so far.
type Report struct {
	// Since and Until bound the events that are compared, by the time at which
	// they happened. Until is zero before the first answer.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// Forgotten is set if the run should have begun earlier, but Stripe does not
	// list events so old.
	Forgotten *time.Time `json:"forgotten_since,omitempty"`
	DryRun    bool       `json:"dry_run"`
	// Listed is how many events Stripe has listed, Missed how many of them were
	// not here.
	Listed int `json:"listed"`
	Missed int `json:"missed"`
	// Imported is how many of these are kept now; Failed how many of them are in
	// the dead letter queue, Pending how many are attempted again.
	Imported int `json:"imported"`
	Failed   int `json:"failed"`
	Pending  int `json:"pending"`
	// ByType counts what was missed.
	ByType map[string]int `json:"by_type"`
	// OldestMissed is when the first of these happened.
	OldestMissed *time.Time `json:"oldest_missed"`
}

// position is where the next step of a reconcile begins.
type position struct {
	Pass int `json:"pass"`
	// After is the event that the page before ended with, and At when it happened.
	After string           `json:"after,omitempty"`
	At    quotekit.Seconds `json:"at,omitempty"`
	// Seen are the events of that second so far.
	Seen []string `json:"seen,omitempty"`
	// Until bounds a pass that had to be begun again, with the second of At.
	Until quotekit.Seconds `json:"until,omitempty"`
}

// turn moves behind a page that ended with last.
func (p *position) turn(last stripe.ListedEvent, page []stripe.ListedEvent) {
	if last.Created != p.At {
		p.Seen = nil
	}
	for _, e := range page {
		if e.Created == last.Created {
			p.Seen = append(p.Seen, e.ID)
		}
	}
	p.After, p.At = last.ID, last.Created
}

// readTask reads what a task was asked for, what it has found, and where it is.
// What is not there yet leaves its place as it is.
func readTask(t store.Task, arguments, report, cursor any) error {
	if cursor == nil {
		t.Cursor = ""
	}
	for _, part := range []struct {
		what string
		text []byte
		into any
	}{{"arguments", t.Arguments, arguments}, {"report", t.Report, report}, {"cursor", []byte(t.Cursor), cursor}} {
		if len(part.text) == 0 {
			continue
		}
		if err := json.Unmarshal(part.text, part.into); err != nil {
			return quotekit.Permanent(fmt.Errorf("read the %s of task %s: %w", part.what, t.ID, err))
		}
	}
	return nil
}

// mustEncode encodes what always can be: our own structs of texts and numbers.
func mustEncode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("encode the state of a task: " + err.Error())
	}
	return b
}

// miss counts an event that was not here.
func (r *Report) miss(eventType string, created quotekit.Seconds) {
	r.Missed++
	if r.ByType == nil {
		r.ByType = map[string]int{}
	}
	r.ByType[eventType]++
	if at := time.Unix(int64(created), 0).UTC(); r.OldestMissed == nil || at.Before(*r.OldestMissed) {
		r.OldestMissed = &at
	}
}

// took counts an event that was imported.
func (r *Report) took(status quotekit.EventStatus) {
	r.Imported++
	switch status {
	case quotekit.EventDead:
		r.Failed++
	case quotekit.EventPending:
		r.Pending++
	}
}
