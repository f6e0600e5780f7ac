package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// story is somebody who is on call and looks at a page.
type story struct {
	*tab
	hands
	// live is whether the page is to change by itself. Otherwise it is loaded again.
	live bool
}

// comes waits until the page shows all of the texts. A page that is live is the same
// document then as it was before.
func (s story) comes(texts ...string) {
	s.t.Helper()
	if s.live {
		mustEval[string](s.tab, mark+" = 'the same'")
		s.sees(texts...)
		if got := mustEval[string](s.tab, mark+" ?? 'another'"); got != "the same" {
			s.fail("the page was loaded again to show %q", texts)
		}
		return
	}
	s.until(fmt.Sprintf("load %q", texts), func() (bool, error) {
		text, err := s.text()
		if err != nil || containsAll(text, texts) {
			return err == nil, err
		}
		return false, s.reload()
	})
}

// lists waits until one of the elements has the text.
func (s story) lists(selector, text string) {
	s.t.Helper()
	s.until(text+" in "+selector, func() (bool, error) {
		if !s.live {
			if err := s.reload(); err != nil {
				return false, err
			}
		}
		texts, err := eval[[]string](s.tab, "[...document.querySelectorAll('"+selector+"')].map(e => e.innerText)")
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, text) }), err
	})
}

// goes follows a link or presses a button, and waits for the page that it leads to.
func (s story) goes(role, name string, texts ...string) {
	s.t.Helper()
	s.leaves("press "+name, func() { s.press(role, name) })
	s.sees(texts...)
	s.checkQuiet()
}

// TestStory is the night of an operator: events fail, which shows; one is opened
// and replayed, fails again, and says so; then what they failed of is repaired, one
// is replayed, then the rest with a preview; and all is well.
func TestStory(t *testing.T) {
	for _, tt := range []struct {
		name    string
		scripts bool
		hands   func(*tab) hands
	}{
		{"by mouse", true, func(p *tab) hands { return mouse{p} }},
		{"by keyboard", true, func(p *tab) hands { return keyboard{p} }},
		{"by mouse, without JavaScript", false, func(p *tab) hands { return mouse{p} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := mustStartDev(t, "0") // nothing else happens
			p := d.mustOpenTab(t)
			if !tt.scripts {
				p.withoutScripts()
			}
			tell(t, d, story{tab: p, hands: tt.hands(p), live: tt.scripts})
		})
	}
}

func tell(t *testing.T, d *dev, s story) {
	d.run("trigger", "--count", "3", "customer.subscription.created")
	s.open("/dashboard")
	if s.live { // counts come a moment after the events: a first page waits for them
		s.sees("Overview", "By event type")
	} else {
		s.comes("Overview", "By event type")
	}

	d.run("trigger", "--fail", "9", "customer.subscription.updated")
	s.comes("New error groups", "HANDLER_REJECTED", "9 dead letters")
	s.goes("link", "Alerts", "Not resolved")
	s.lists("#open article", "dead_letters_present")

	s.goes("link", "Dead letters", "Error groups", "customer.subscription.updated")
	s.goes("link", "customer.subscription.updated", "9 letters", "Replay one, then the others")
	s.goes("link", "evt_", "Timeline", "Dead letter", "Against the event before")
	if text, err := s.text(); err != nil || !strings.Contains(text, "What the event says has changed") || strings.Contains(text, "It says nothing") {
		s.fail("the event shows no difference: %v", err)
	}

	s.goes("link", "Dead letters", "Error groups")
	s.goes("link", "customer.subscription.updated", "Replay one, then the others")
	s.write("Reason", "is it still so?")
	s.goes("button", "Replay one, show me", "The one that")
	s.comes("The one that was replayed failed again")

	d.run("trigger", "--heal")
	s.write("Reason", "the handler is repaired")
	s.goes("button", "Replay one, show me", "The one that")
	s.comes("The one that was replayed has succeeded")
	s.goes("button", "Replay the other 8", "These 8 letters and no others", "What they died of")
	s.write("Reason", "the rest of them")
	s.goes("button", "Replay 8 letters", "What became of each")
	s.comes("completed", "succeeded 8")

	s.goes("link", "Dead letters", "Nothing is dead")
	s.goes("link", "Alerts", "Resolved")
	s.lists("#resolved tbody tr", "dead_letters_present")
	s.goes("link", "Audit trail", "is it still so?", "the handler is repaired", "the rest of them", "dev")
	s.checkQuiet()
}
