package operations

import (
	"encoding/json"

	"github.com/quotekit/quotekit"
)

// exportQuotes reads the format of the file, which is JSON where none is given.
func exportQuotes(options map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
	o := readOptions(options)
	format := quotekit.ExportJSON
	if s, ok := o.text("format", maxChoice); ok {
		format = quotekit.ExportFormat(s)
		if format != quotekit.ExportJSON && format != quotekit.ExportCSV {
			o.wrong("format", "must be one of %s, %s", quotekit.ExportJSON, quotekit.ExportCSV)
		}
	}
	return quotekit.Step{Format: format}, o.problems.all()
}
