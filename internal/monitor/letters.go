package monitor

import (
	"context"
	"slices"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// keptAtStripe is how long Stripe can return an event.
const keptAtStripe = 30 * day

// DeadLetterQueue lists dead letters, the last failed first, and, on the first
// page, the error groups that fit, too.
func (r *Reads) DeadLetterQueue(ctx context.Context, f LetterQuery, p store.Page) (DeadLetterQueue, error) {
	q := DeadLetterQueue{Groups: []ErrorGroup{}, Items: []DeadLetterItem{}}
	letters, cursor, err := r.Store.DeadLetters(ctx, store.DeadLetterFilter{
		EventType: f.EventType, Reason: f.Reason, ErrorClass: f.ErrorClass, GroupID: f.GroupID, Resolved: f.Resolved, From: f.From, To: f.To,
		RequiresManualReview: f.RequiresManualReview, Livemode: f.Livemode,
	}, p)
	if err != nil {
		return q, err
	}
	now := r.Now()
	for _, l := range letters {
		q.Items = append(q.Items, letterItem(l, now))
	}
	q.NextCursor = given(cursor)
	if (p.Cursor == "" || f.GroupsCursor != "") && f.RequiresManualReview == nil && f.Livemode == nil {
		var next string
		q.Groups, next, err = r.groups(ctx, f)
		q.GroupsMore, q.GroupsCursor = next != "", given(next)
	}
	return q, err
}

func letterItem(l store.DeadLetterRecord, now time.Time) DeadLetterItem {
	class := ""
	if l.ErrorClass != nil {
		class = *l.ErrorClass
	}
	created := l.EventCreated
	if created == nil {
		created = &l.FirstFailedAt
	}
	return DeadLetterItem{
		DeadLetterRecord: l, AgeSeconds: max(int64(now.Sub(l.FirstFailedAt)/time.Second), 0), DaysLeft: daysLeft(*created, now),
		GroupID: store.GroupID(l.EventType, l.FailureReason, class),
	}
}

// Letter reads everything about a dead letter, by its own id or that of its event. It
// fails with [quotekit.ENotFound].
func (r *Reads) Letter(ctx context.Context, id string) (LetterView, error) {
	letter, err := r.Store.DeadLetter(ctx, id)
	if err != nil {
		return LetterView{}, err
	}
	d := EventDetail{DeadLetter: &letter}
	if letter.Status != "" {
		if d.EventRecord, err = r.Store.Event(ctx, letter.StripeEventID); err != nil {
			return LetterView{}, err
		}
	}
	if d.AuditTrail, err = r.Store.EventAudit(ctx, letter.StripeEventID); err != nil {
		return LetterView{}, err
	}
	if d.ProcessingLogs, err = r.Store.EventLogs(ctx, letter.StripeEventID); err != nil {
		return LetterView{}, err
	}
	v := LetterView{
		DeadLetterItem: letterItem(maskLetter(letter), r.Now()), Handler: r.handler(letter.EventType), Timeline: timeline(d),
	}
	v.Received = letter.Status != "" || slices.ContainsFunc(d.AuditTrail, func(a store.AuditRecord) bool {
		return a.Action == store.AuditDelivered || a.Action == store.AuditImported
	})
	return v, nil
}

// daysLeft is how many days Stripe can still return an event, the last one begun
// counted whole.
func daysLeft(created, now time.Time) int {
	left := created.Add(keptAtStripe).Sub(now)
	if left <= 0 {
		return 0
	}
	return int((left + day - 1) / day)
}

// groups lists the groups of the letters that a query is about: those that have
// letters, or, if it asks for resolved ones, those that have none. A range of time is
// that of the letters, so it leaves out groups whose last letter failed before.
func (r *Reads) groups(ctx context.Context, f LetterQuery) (groups []ErrorGroup, next string, err error) {
	filter := store.GroupFilter{ID: f.GroupID, EventType: f.EventType, Reason: f.Reason, ErrorClass: f.ErrorClass}
	var list []store.ErrorGroup
	if f.Resolved != nil && *f.Resolved {
		list, err = r.Store.ResolvedGroups(ctx, filter)
	} else {
		list, next, err = r.Store.ErrorGroups(ctx, filter, f.GroupsCursor)
	}
	groups = []ErrorGroup{}
	for _, g := range list {
		if f.From == nil || !g.LastFailedAt.Before(*f.From) {
			groups = append(groups, r.showGroup(g))
		}
	}
	return groups, next, err
}

// ErrorGroups lists error groups with letters that are not resolved, the last
// failed first.
func (r *Reads) ErrorGroups(ctx context.Context, limit int) ([]ErrorGroup, error) {
	groups, _, err := r.groups(ctx, LetterQuery{})
	return groups[:min(len(groups), limit)], err
}

// ErrorGroup reads an error group. It fails with [quotekit.ENotFound].
func (r *Reads) ErrorGroup(ctx context.Context, id string) (ErrorGroup, error) {
	g, err := r.Store.ErrorGroup(ctx, id)
	return r.showGroup(g), err
}

func (r *Reads) showGroup(g store.ErrorGroup) ErrorGroup {
	shown := ErrorGroup{
		ID: g.ID, EventType: g.EventType, FailureReason: g.FailureReason, ErrorClass: g.ErrorClass, Handler: r.handler(g.EventType),
		Count: g.Letters, CountMore: g.More, FirstFailedAt: g.FirstFailedAt, LastFailedAt: g.LastFailedAt, State: g.State,
		Owner: g.Owner, Note: g.Note, Regressed: g.Regressed, SampleID: g.SampleID, SampleEventID: g.SampleEventID,
		SampleMessage: g.SampleMessage, ResolvedAt: g.ResolvedAt, UpdatedAt: g.UpdatedAt, UpdatedBy: g.UpdatedBy,
		Hourly: []int64{},
	}
	if g.Letters > 0 {
		shown.HourlyFrom, shown.Hourly = &g.HourlyFrom, g.Hourly[:]
	}
	return shown
}

// handler is the name of the handler that an event type has, empty if it has none.
func (r *Reads) handler(eventType string) string {
	for _, route := range r.Routes {
		if route.Type == eventType {
			return route.Handler
		}
	}
	return ""
}
