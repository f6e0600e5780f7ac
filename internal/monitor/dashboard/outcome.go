package dashboard

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// modeOf reads what another attempt is to apply; empty leaves it to the route.
func modeOf(r *http.Request) (quotekit.ReplayMode, error) {
	switch mode := quotekit.ReplayMode(r.PostFormValue("mode")); mode {
	case "", quotekit.ReplayStored, quotekit.ReplayCurrent:
		return mode, nil
	}
	return "", quotekit.Errorf(quotekit.EInvalid, "What is applied is the stored payload or the current object.")
}

// refused leads back with why nothing was done. What is the service's own fault
// stays an error.
func refused(to string, err error) (Answer, error) {
	p := rest.ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		return Answer{}, err
	}
	return Answer{To: to, Done: "Nothing was changed. " + wordsOf(p), Warned: true}, nil
}

// wordsOf is a problem in one line.
func wordsOf(p *rest.Problem) string {
	words := sentence(p.Detail)
	for _, e := range p.Errors {
		_, field, _ := strings.Cut(e.Location, ".")
		words += " " + sentence(strings.TrimSpace(field+" "+e.Message))
	}
	return words
}

// sentence makes one of the words of an error.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + strings.TrimSuffix(words[1:], ".") + "."
}

const (
	// glance is how long an act waits for what comes of it, so that the page after
	// it mostly tells, without scripts too.
	glance = 2 * time.Second
	// glanceEvery is how often it looks.
	glanceEvery = 25 * time.Millisecond
)

// takenUp tells what has become of an event that was taken up a moment ago. It
// waits a glance for it to come to an end.
func (d *Dashboard) takenUp(ctx context.Context, eventID string) (words string, warned bool, err error) {
	over := time.NewTimer(glance)
	defer over.Stop()
	look := time.NewTicker(glanceEvery)
	defer look.Stop()
	for {
		e, err := d.Store.Event(ctx, eventID)
		if err != nil {
			return "", false, err
		}
		if e.Status == quotekit.EventPending && e.Attempts == 0 {
			select {
			case <-look.C:
				continue
			case <-over.C:
			case <-ctx.Done():
				return "", false, ctx.Err()
			}
		}
		switch {
		case e.Status == quotekit.EventSucceeded:
			return eventID + " was attempted and has succeeded.", false, nil
		case e.Status == quotekit.EventDead:
			return eventID + " was attempted and failed again: " + sentence(given(e.ErrorMessage)), true, nil
		case e.Status == quotekit.EventIgnored:
			return eventID + " has no route any more, so it is ignored now.", true, nil
		case e.Attempts > 0 && e.NextAttemptAt != nil:
			return eventID + " is pending: the first attempt failed, the next is at " + stamp(*e.NextAttemptAt) + ".", true, nil
		}
		return eventID + " is pending; it is attempted now.", false, nil
	}
}

// given is a text that may be missing.
func given(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
