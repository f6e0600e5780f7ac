package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
)

// stateClasses are the classes of those states that are not quiet: of events,
// groups, tasks, the outcomes of bulk acts, and the steps of a timeline. No word
// means two things.
var stateClasses = map[string]string{
	"succeeded": "ok", "applied": "ok", "resolved": "ok", "completed": "ok", "ok": "ok",
	"pending": "warning", "running": "warning", "acknowledged": "warning", "waiting": "warning",
	"dead": "critical", "failed": "critical", "open": "critical",
}

// stateClass is the class of a state: ok, warning, critical or quiet.
func stateClass(state any) string { return cmp.Or(stateClasses[fmt.Sprint(state)], "quiet") }

// value writes a value of JSON as it is; one that is missing is a dash.
func value(raw json.RawMessage) string {
	if len(raw) == 0 || string(raw) == "null" {
		return nothing
	}
	return string(raw)
}
