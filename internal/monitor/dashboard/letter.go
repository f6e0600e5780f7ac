package dashboard

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
)

// letterView is the data of the page of a dead letter that is shown alone.
type letterView struct {
	monitor.LetterView
	// Payload is the event, masked and indented; empty if it was deleted.
	Payload string
	// NoRetry and NoResolve say why it cannot be done; empty if it can.
	NoRetry, NoResolve string
}

// letter shows a dead letter that another program has written, or whose event was
// deleted. Others are shown with their events.
func (d *Dashboard) letter(r *http.Request) (Answer, error) {
	l, err := d.Reads.Letter(r.Context(), r.PathValue("id"))
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Title: l.EventType, JSON: l, API: "/v1/monitor/dead-letter-queue/" + r.PathValue("id")}
	if l.WithEvent() {
		a.To = eventPath(l.StripeEventID)
		return a, nil
	}
	v := letterView{LetterView: l}
	var indented bytes.Buffer
	if string(l.EventData) != "{}" && json.Indent(&indented, l.EventData, "", "  ") == nil {
		v.Payload = indented.String()
	}
	switch {
	case l.Resolved:
		v.NoRetry, v.NoResolve = "It is resolved.", "It is resolved."
	case l.Status == "":
		v.NoRetry = "Its event is not here, so there is nothing that could be attempted again."
	case l.Status != quotekit.EventDead:
		v.NoRetry = "Its event is " + string(l.Status) + "."
	}
	a.Data = v
	return a, nil
}

// retryLetter attempts the event of a letter again.
func (d *Dashboard) retryLetter(r *http.Request) (Answer, error) {
	back := alonePath(r.PathValue("id"))
	act, err := act(r)
	if err != nil {
		return refused(back, err)
	}
	mode, err := modeOf(r)
	if err != nil {
		return refused(back, err)
	}
	eventID, err := d.Operator.Retry(r.Context(), r.PathValue("id"), mode, act)
	if err != nil {
		return refused(back, err)
	}
	words, warned, err := d.takenUp(r.Context(), eventID)
	return Answer{To: back, Done: words, Warned: warned}, err
}

// resolveLetter closes a letter.
func (d *Dashboard) resolveLetter(r *http.Request) (Answer, error) {
	back := alonePath(r.PathValue("id"))
	act, err := reasonedAct(r)
	if err != nil {
		return refused(back, err)
	}
	eventID, err := d.Operator.Resolve(r.Context(), r.PathValue("id"), act)
	if err != nil {
		return refused(back, err)
	}
	return Answer{To: back, Done: "The dead letter of " + eventID + " is resolved; the event's effects are given up."}, nil
}

// revealLetter shows the event of a letter as it was put there, once.
func (d *Dashboard) revealLetter(r *http.Request) (Answer, error) {
	return d.revealed(r, alonePath(r.PathValue("id")))
}
