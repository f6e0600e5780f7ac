package alert

import (
	"strconv"

	"github.com/quotekit/quotekit"
)

// shownItems is how many alerts a message to people shows.
const shownItems = 20

// title says what a message is about.
func (m message) title() string {
	first := m.Items[0]
	switch {
	case first.Event == toldTest:
		return "a test"
	case len(m.Items) == 1 && first.Event == toldResolved:
		return first.name() + " is resolved"
	case len(m.Items) == 1:
		return first.name() + " " + first.headline()
	}
	return strconv.Itoa(len(m.Items)) + " alerts"
}

// name is the rule and what it is about.
func (i item) name() string {
	if i.Alert.Subject == "" {
		return i.Alert.Rule
	}
	return i.Alert.Rule + " of " + i.Alert.Subject
}

// headline says in few words what is told.
func (i item) headline() string {
	switch i.Event {
	case toldTest:
		return "test"
	case toldResolved:
		return "resolved"
	case toldReminder:
		return "still " + string(i.Alert.Severity)
	case toldWorse:
		return "worse: " + string(i.Alert.Severity)
	}
	return string(i.Alert.Severity)
}

// mark stands before a line.
func (i item) mark() string {
	switch {
	case i.Event == toldResolved:
		return "✅"
	case i.Event == toldTest:
		return "🔧"
	case i.Alert.Severity == quotekit.AlertCritical:
		return "🔴"
	}
	return "🟠"
}
