package dashboard

import (
	"net/http"

	"github.com/quotekit/quotekit"
)

const setupPath = Path + "/setup"

// setupView is the data of the page of what is configured.
type setupView struct {
	Checks   []Check
	Settings []Setting
	// Missing is how many checks ask for something to be set.
	Missing int
	// TestEvent is whether a test event can be sent.
	TestEvent bool
}

// setup shows what is configured, and what is missing.
func (d *Dashboard) setup(*http.Request) (Answer, error) {
	v := setupView{Checks: d.Setup, Settings: d.Settings, TestEvent: d.TestEvent != nil}
	for _, c := range d.Setup {
		if !c.OK {
			v.Missing++
		}
	}
	return Answer{Data: v}, nil
}

// sendTestEvent sends an event to the service, in development.
func (d *Dashboard) sendTestEvent(r *http.Request) (Answer, error) {
	if d.TestEvent == nil {
		return refused(setupPath, quotekit.Errorf(quotekit.EConflict, "only quotekit dev sends test events; Stripe sends those of an endpoint"))
	}
	id, err := d.TestEvent(r.Context())
	if err != nil {
		return refused(setupPath, err)
	}
	return Answer{To: eventPath(id), Done: "A test event was sent, and this is what became of it."}, nil
}
