package dashboard

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/monitor"
	"github.com/quotekit/quotekit/internal/rest"
)

// eventView is the data of the page of an event.
type eventView struct {
	monitor.EventView
	// Raw is the payload without the white space of Payload.
	Raw string
	// NoReplay and NoResolve say why it cannot be done, NoPayload why the stored payload
	// cannot be applied or seen; empty if it can.
	NoReplay, NoResolve, NoPayload string
	// FetchFirst is whether the current object is the better thing to apply: a newer
	// event of the object has succeeded, or the payload was deleted, and it can be
	// fetched.
	FetchFirst bool
	GroupID    string
	// NoCompare says why the object cannot be compared with what Stripe has; empty if
	// it can. Compared is the answer to that, and CompareProblem why there is none.
	NoCompare      string
	Compared       *monitor.Comparison
	CompareProblem string
}

// event shows what happened to an event. One that was never received here may have a
// dead letter of another program's, which is shown alone.
func (d *Dashboard) event(r *http.Request) (Answer, error) {
	v, err := d.eventView(r)
	if quotekit.CodeOf(err) == quotekit.ENotFound {
		letter, lerr := d.Reads.Letter(r.Context(), r.PathValue("id"))
		if lerr == nil {
			return Answer{To: alonePath(letter.ID)}, nil
		}
		if quotekit.CodeOf(lerr) != quotekit.ENotFound {
			err = lerr
		}
	}
	return Answer{Data: v, Title: v.EventType, JSON: v.EventView, API: "/v1/monitor/events/" + v.StripeEventID}, err
}

// compareEvent shows the event with what differs from its object at Stripe now. The
// page is the answer to the act, and is not asked for again by itself.
func (d *Dashboard) compareEvent(r *http.Request) (Answer, error) {
	v, err := d.eventView(r)
	if err != nil {
		return Answer{}, err
	}
	c, err := d.Reads.Compare(r.Context(), v.StripeEventID)
	p := rest.ProblemOf(err)
	switch {
	case err == nil:
		v.Compared = &c
	case p.Status == http.StatusInternalServerError:
		return Answer{}, err
	default:
		v.CompareProblem = wordsOf(p)
	}
	return Answer{Data: v, Title: v.EventType}, nil
}

func (d *Dashboard) eventView(r *http.Request) (eventView, error) {
	e, err := d.Reads.Event(r.Context(), r.PathValue("id"))
	if err != nil {
		return eventView{}, err
	}
	v := eventView{EventView: e, NoCompare: d.Reads.NoFetch(), NoPayload: monitor.PayloadDeleted(e.EventRecord)}
	v.FetchFirst = (e.SupersededBy != nil || v.NoPayload != "") && v.NoCompare == ""
	if v.NoCompare == "" {
		v.NoCompare = v.NoPayload
	}
	if v.NoCompare == "" && e.ObjectID == nil {
		v.NoCompare = "The event shows no object."
	}
	var raw bytes.Buffer
	if json.Compact(&raw, []byte(e.Payload)) == nil {
		v.Raw = raw.String()
	}
	if e.Status == quotekit.EventSucceeded {
		v.NoReplay = "It has succeeded: its effects are in the tables, and happen once."
	}
	switch {
	case e.DeadLetter == nil:
		v.NoResolve = "It is not in the dead letter queue."
	case e.DeadLetter.Resolved:
		v.NoResolve = "Its dead letter is resolved."
	}
	return v, nil
}

// replayEvent attempts an event again.
func (d *Dashboard) replayEvent(r *http.Request) (Answer, error) {
	id := r.PathValue("id")
	act, err := act(r)
	if err != nil {
		return refused(eventPath(id), err)
	}
	mode, err := modeOf(r)
	if err != nil {
		return refused(eventPath(id), err)
	}
	status, err := d.Operator.Replay(r.Context(), id, mode, act)
	switch {
	case err != nil:
		return refused(eventPath(id), err)
	case status == quotekit.EventSucceeded:
		return Answer{To: eventPath(id), Done: id + " has succeeded already; nothing is left to do.", Warned: true}, nil
	}
	words, warned, err := d.takenUp(r.Context(), id)
	return Answer{To: eventPath(id), Done: words, Warned: warned}, err
}

// resolveEvent closes the dead letter of an event.
func (d *Dashboard) resolveEvent(r *http.Request) (Answer, error) {
	id := r.PathValue("id")
	act, err := reasonedAct(r)
	if err == nil {
		_, err = d.Operator.Resolve(r.Context(), id, act)
	}
	if err != nil {
		return refused(eventPath(id), err)
	}
	return Answer{To: eventPath(id), Done: "The dead letter of " + id + " is resolved; the event's effects are given up."}, nil
}

// revealView is the data of the page that shows a payload as it was received.
type revealView struct {
	Back, Reason, Payload string
}

// reveal shows a payload as it was received, once: the page is the answer to the
// act, and nobody keeps it.
func (d *Dashboard) reveal(r *http.Request) (Answer, error) {
	return d.revealed(r, eventPath(r.PathValue("id")))
}

func (d *Dashboard) revealed(r *http.Request, back string) (Answer, error) {
	id := r.PathValue("id")
	act, err := reasonedAct(r)
	if err != nil {
		return refused(back, err)
	}
	payload, err := d.Revealer.Reveal(r.Context(), id, act)
	if err != nil {
		return refused(back, err)
	}
	text := string(payload)
	var indented bytes.Buffer
	if json.Indent(&indented, payload, "", "  ") == nil {
		text = indented.String()
	}
	return Answer{Data: revealView{back, act.Reason, strings.ToValidUTF8(text, "\uFFFD")}, Title: "Payload of " + id}, nil
}

// payload is the masked payload of an event, as a file.
func (d *Dashboard) payload(r *http.Request) (Answer, error) {
	e, err := d.Reads.Event(r.Context(), r.PathValue("id"))
	if err != nil {
		return Answer{}, err
	}
	if e.Payload == "" {
		return Answer{}, quotekit.Errorf(quotekit.ENotFound, "%s", monitor.PayloadDeleted(e.EventRecord))
	}
	return Answer{File: &File{Name: e.StripeEventID + ".masked.json", Media: "application/json", Write: func(w io.Writer) error {
		_, err := io.WriteString(w, e.Payload+"\n")
		return err
	}}}, nil
}
