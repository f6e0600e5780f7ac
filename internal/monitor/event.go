package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
)

// Event reads everything about an event. It fails with [quotekit.ENotFound].
func (r *Reads) Event(ctx context.Context, id string) (EventView, error) {
	v := EventView{Changes: []FieldChange{}, Differences: []FieldChange{}, Rows: []RowView{}, SubscriptionChanges: []SubscriptionChange{}}
	var err error
	if v.EventDetail, err = r.eventDetail(ctx, id); err != nil {
		return EventView{}, err
	}
	payload, err := r.Store.EventPayload(ctx, id)
	if err != nil {
		return EventView{}, err
	}
	if len(payload) > 0 {
		v.Payload, v.PayloadBytes = Mask(payload), len(payload)
		v.Changes = showChanges(stripe.Changes(payload))
	}
	previous, before, err := r.Store.PreviousEvent(ctx, v.EventRecord)
	if err != nil {
		return EventView{}, err
	}
	switch v.PreviousEventID = given(previous); {
	case previous == "":
	case len(before) == 0 || len(payload) == 0:
		v.DifferencesUnknown = true
	default:
		v.Differences = showChanges(stripe.Differences(before, payload))
	}
	if v.ObjectID != nil {
		if v.Rows, err = r.rows(ctx, v.Account, *v.ObjectID); err != nil {
			return EventView{}, err
		}
		if v.SubscriptionChanges, err = r.subscriptionChanges(ctx, *v.ObjectID, id); err != nil {
			return EventView{}, err
		}
	}
	created := v.ReceivedAt
	if v.EventCreated != nil {
		created = *v.EventCreated
	}
	v.Handler, v.DaysLeft = r.handler(v.EventType), daysLeft(created, r.Now())
	v.Timeline = timeline(v.EventDetail)
	v.Curl, v.Command = commands(id)
	return v, nil
}

// PayloadDeleted says when the payload of an event was deleted; empty if it is there.
func PayloadDeleted(e store.EventRecord) string {
	if e.PayloadDeletedAt == nil {
		return ""
	}
	days := int(e.PayloadDeletedAt.Sub(e.ReceivedAt) / day)
	return fmt.Sprintf("The payload was deleted on %s, %d days after the event was received.", e.PayloadDeletedAt.UTC().Format(time.DateOnly), days)
}

// eventDetail reads everything about an event but its payload.
func (r *Reads) eventDetail(ctx context.Context, id string) (d EventDetail, err error) {
	if d.EventRecord, err = r.Store.Event(ctx, id); err != nil {
		return d, err
	}
	if d.AuditTrail, err = r.Store.EventAudit(ctx, id); err != nil {
		return d, err
	}
	if d.ProcessingLogs, err = r.Store.EventLogs(ctx, id); err != nil {
		return d, err
	}
	if d.SupersededBy, err = r.Store.NewerEvent(ctx, id); err != nil {
		return d, err
	}
	letter, err := r.Store.DeadLetter(ctx, quotekit.DeadLetterID(id))
	switch {
	case err == nil:
		letter.EventData = nil // it is the payload
		d.DeadLetter = &letter
	case quotekit.CodeOf(err) != quotekit.ENotFound:
		return d, err
	}
	return d, nil
}

func showChanges(changes []stripe.FieldChange) []FieldChange {
	list := make([]FieldChange, len(changes))
	for i, c := range changes {
		list[i] = FieldChange(c)
	}
	return list
}

// rows are the rows of the mirror that are about an object of an account, masked.
func (r *Reads) rows(ctx context.Context, account, objectID string) ([]RowView, error) {
	found, err := r.Store.ObjectRows(ctx, account, objectID)
	return showRows(found), err
}

func showRows(rows []store.TableRow) []RowView {
	list := []RowView{}
	for _, row := range rows {
		v := RowView{Table: row.Table, Key: row.Key, Account: row.Account, Columns: make([]ColumnView, len(row.Columns))}
		for i, c := range row.Columns {
			v.Columns[i] = ColumnView{c.Name, stripe.MaskMember(c.Name, c.Value)}
		}
		list = append(list, v)
	}
	return list
}

func (r *Reads) subscriptionChanges(ctx context.Context, subscriptionID, eventID string) ([]SubscriptionChange, error) {
	found, err := r.Store.SubscriptionChanges(ctx, subscriptionID, eventID)
	list := []SubscriptionChange{}
	for _, c := range found {
		list = append(list, SubscriptionChange{
			Field: c.Field, Before: stripe.MaskMember(c.Field, c.Before), After: stripe.MaskMember(c.Field, c.After), ChangedAt: c.ChangedAt,
		})
	}
	return list, err
}

// commands replay an event from a shell. Secrets are variables.
func commands(eventID string) (curl, command string) {
	curl = `curl -X POST "$QUOTEKIT_URL"'/v1/monitor/events/` + url.PathEscape(eventID) + `/replay' \
  -H "Authorization: Bearer $QUOTEKIT_ADMIN_TOKEN" \
  -H 'Content-Type: application/json' \
  -d '{"reason": ""}'`
	return curl, "quotekit events replay " + shellQuoted(eventID)
}

// shellQuoted is s as one word of a shell.
func shellQuoted(s string) string {
	harmless := func(c rune) bool {
		return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
	}
	if s != "" && strings.IndexFunc(s, func(c rune) bool { return !harmless(c) }) < 0 && s[0] != '-' {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// maskLetter masks the event of a dead letter.
func maskLetter(l store.DeadLetterRecord) store.DeadLetterRecord {
	if l.EventData != nil {
		l.EventData = json.RawMessage(Mask(l.EventData))
	}
	return l
}
