package dashboard

import (
	"context"
	"net/http"
	"net/url"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/store"
)

// groupView is the data of the page of an error group.
type groupView struct {
	monitor.ErrorGroup
	// Sample is the event of the letter that failed last; nil if it was never
	// received here.
	Sample *monitor.EventView
	Items  []monitor.DeadLetterItem
	Older  string
	Newest string
	CanAct bool
	Canary *canary
	// Others are the letters that would be replayed: all that are dead, so not the
	// canary while it is being attempted.
	Others int64
}

// canary is the one letter that was replayed before the others.
type canary struct {
	monitor.EventDetail
	// GroupID is where it is if it is dead, and Same whether that is the group it
	// was in.
	GroupID string
	Same    bool
}

// Succeeded, Failed and Waits tell what became of it.
func (c canary) Succeeded() bool {
	return c.Status == quotekit.EventSucceeded || c.Status == quotekit.EventIgnored
}

// Failed reports whether it is dead again.
func (c canary) Failed() bool { return c.Status == quotekit.EventDead }

// Waits reports whether it is still being attempted.
func (c canary) Waits() bool { return c.Status == quotekit.EventPending }

// group shows what letters that died of the same have in common, and lets people
// replay one of them before the others.
func (d *Dashboard) group(r *http.Request) (Answer, error) {
	id := r.PathValue("id")
	q := r.URL.Query()
	g, err := d.Reads.ErrorGroup(r.Context(), id)
	if err != nil {
		return Answer{}, err
	}
	v := groupView{ErrorGroup: g, Newest: newest(r), CanAct: g.Count > 0, Others: g.Count}
	open := false
	asked := monitor.LetterQuery{GroupID: id, Resolved: &open}
	if g.Count == 0 {
		asked.Resolved = nil
	}
	queue, err := d.Reads.DeadLetterQueue(r.Context(), asked, store.Page{Cursor: q.Get("cursor")})
	if err != nil {
		return Answer{}, err
	}
	v.Items, v.Older = queue.Items, older(r, queue.NextCursor)
	if v.Sample, err = d.sample(r.Context(), g); err != nil {
		return Answer{}, err
	}
	if event := q.Get("canary"); event != "" {
		if v.Canary, err = d.canary(r.Context(), event, g); err != nil {
			return Answer{}, err
		}
		if v.Canary.Waits() {
			v.Others--
		}
	}
	return Answer{
		Data: v, Title: "Error group", JSON: queue, API: "/v1/monitor/dead-letter-queue" + apiQuery(asked, q.Get("cursor")),
	}, nil
}

// sample is the event that failed last, with its payload and what it changes.
func (d *Dashboard) sample(ctx context.Context, g monitor.ErrorGroup) (*monitor.EventView, error) {
	if g.SampleEventID == "" {
		return nil, nil
	}
	e, err := d.Reads.Event(ctx, g.SampleEventID)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		return nil, nil
	}
	return &e, err
}

// canary looks at what has become of the event that was replayed first.
func (d *Dashboard) canary(ctx context.Context, eventID string, g monitor.ErrorGroup) (*canary, error) {
	e, err := d.Reads.Event(ctx, eventID)
	if err != nil {
		return nil, err
	}
	c := canary{EventDetail: e.EventDetail, GroupID: g.ID, Same: true}
	l := e.DeadLetter
	if l == nil || (l.FailureReason == g.FailureReason && given(l.ErrorClass) == g.ErrorClass) {
		return &c, nil
	}
	c.Same = false
	other, err := d.Reads.DeadLetterQueue(ctx, monitor.LetterQuery{
		EventType: l.EventType, Reason: l.FailureReason, ErrorClass: given(l.ErrorClass),
	}, store.Page{Limit: 1})
	if err == nil && len(other.Items) > 0 {
		c.GroupID = other.Items[0].GroupID
	}
	return &c, err
}

// replayOne retries the letter of a group that failed last, and shows what comes
// of it.
func (d *Dashboard) replayOne(r *http.Request) (Answer, error) {
	id := r.PathValue("id")
	act, err := act(r)
	if err != nil {
		return refused(groupPath(id), err)
	}
	mode, err := modeOf(r)
	if err != nil {
		return refused(groupPath(id), err)
	}
	letter, err := d.newestDead(r.Context(), id)
	if err != nil {
		return refused(groupPath(id), err)
	}
	if act.Reason == "" {
		act.Reason = "one of its error group, before the others"
	}
	eventID, err := d.Operator.Retry(r.Context(), letter.ID, mode, act)
	if err != nil {
		return refused(groupPath(id), err)
	}
	words, warned, err := d.takenUp(r.Context(), eventID)
	return Answer{To: groupPath(id) + "?canary=" + url.QueryEscape(eventID), Done: words, Warned: warned}, err
}

// newestDead is the letter of a group that failed last and is not being attempted.
func (d *Dashboard) newestDead(ctx context.Context, groupID string) (found monitor.DeadLetterItem, err error) {
	open := false
	err = d.eachLetter(ctx, monitor.LetterQuery{GroupID: groupID, Resolved: &open}, func(l monitor.DeadLetterItem) bool {
		if l.Status == quotekit.EventDead {
			found = l
		}
		return found.ID == ""
	})
	if err == nil && found.ID == "" {
		err = quotekit.Errorf(quotekit.EConflict, "No letter of this group is dead now, so there is none to replay.")
	}
	return found, err
}

// eachLetter calls f with letters, the last failed first, until it returns false.
func (d *Dashboard) eachLetter(ctx context.Context, asked monitor.LetterQuery, f func(monitor.DeadLetterItem) bool) error {
	for cursor := ""; ; {
		queue, err := d.Reads.DeadLetterQueue(ctx, asked, store.Page{Limit: store.MaxPage, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, l := range queue.Items {
			if !f(l) {
				return nil
			}
		}
		if queue.NextCursor == nil {
			return nil
		}
		cursor = *queue.NextCursor
	}
}

// decideGroup notes how a group stands, and who cares for it.
func (d *Dashboard) decideGroup(r *http.Request) (Answer, error) {
	id := r.PathValue("id")
	state := quotekit.GroupState(r.PostFormValue("state"))
	words := map[quotekit.GroupState]string{
		quotekit.GroupOpen: "The group is open.", quotekit.GroupAcknowledged: "The group is acknowledged.",
		quotekit.GroupIgnored: "The group is ignored: its letters stay, and it is not counted among the new ones.",
	}[state]
	if words == "" {
		return refused(groupPath(id), quotekit.Errorf(quotekit.EInvalid, "A group can be open, acknowledged or ignored."))
	}
	act, err := act(r)
	if state == quotekit.GroupIgnored {
		act, err = reasonedAct(r)
	}
	owner := r.PostFormValue("owner")
	if err == nil {
		err = d.Groups.DecideGroup(r.Context(), id, state, owner, act)
	}
	if err != nil {
		return refused(groupPath(id), err)
	}
	if owner != "" {
		words += " " + owner + " cares for it."
	}
	return Answer{To: groupPath(id), Done: words}, nil
}
