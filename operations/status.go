package operations

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/quotekit/quotekit"
)

// updateQuoteStatus reads the new status. Any status may follow any.
func updateQuoteStatus(options map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
	o := readOptions(options)
	status := o.required("status", maxChoice)
	if status != "" {
		o.checkStatus("status", status)
	}
	return quotekit.Step{Update: func(r quotekit.Record) (quotekit.Values, *quotekit.ItemError) {
		if r.Text("status") == status {
			return quotekit.Values{}, nil
		}
		return quotekit.Values{"status": status}, nil
	}}, o.problems.all()
}

func (o object) checkStatus(name, status string) {
	if !slices.Contains(quotekit.QuoteStatuses, status) {
		o.wrong(name, "must be one of %s", statusList())
	}
}

func statusList() string { return strings.Join(quotekit.QuoteStatuses, ", ") }
