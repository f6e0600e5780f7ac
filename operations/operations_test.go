package operations_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/operations"
)

func find(name string) quotekit.Operation {
	all := operations.Operations()
	return all[slices.IndexFunc(all, func(o quotekit.Operation) bool { return o.Name == name })]
}

// prepare hands the options over as a request has them.
func prepare(t testing.TB, operation, options string) (quotekit.Step, []quotekit.FieldError) {
	t.Helper()
	var given map[string]json.RawMessage
	if err := json.Unmarshal([]byte(options), &given); err != nil {
		t.Fatal(err)
	}
	return find(operation).Prepare(given)
}

func mustPrepare(t testing.TB, operation, options string) quotekit.Step {
	t.Helper()
	step, problems := prepare(t, operation, options)
	if len(problems) > 0 {
		t.Fatalf("%s of %s: %v", operation, options, problems)
	}
	return step
}

// list writes problems as "field message", one a line.
func list(problems []quotekit.FieldError) string {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.Field + " " + p.Message
	}
	return strings.Join(lines, "\n")
}

// row is a stored row; what it lacks is NULL.
type row map[string]any

func (r row) Text(column string) string {
	s, _ := r[column].(string)
	return s
}

func (r row) Cents(column string) (quotekit.Cents, bool) {
	c, ok := r[column].(quotekit.Cents)
	return c, ok
}

func TestOperations_AreTheTableOfTheProduct(t *testing.T) {
	want := []string{
		"delete_quotes delete quotes 1000",
		"update_quote_status update quotes 1000 status!",
		"export_quotes export quotes 500 format",
		"delete_clients delete clients 1000",
		"update_item_prices update items 1000 price_adjustment!",
		"bulk_create_items create items 1000",
		"bulk_create_clients create clients 1000",
		"bulk_create_quotes create quotes 1000",
	}
	var got []string
	for _, o := range operations.Operations() {
		line := fmt.Sprint(o.Name, " ", o.Kind, " ", o.Table, " ", o.Limit())
		for _, option := range o.Options {
			line += " " + option.Name
			if option.Required {
				line += "!"
			}
		}
		got = append(got, line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestOperations_AreComplete(t *testing.T) {
	names := map[string]bool{}
	for _, o := range operations.Operations() {
		if names[o.Name] {
			t.Errorf("%s stands twice", o.Name)
		}
		names[o.Name] = true
		if o.Summary == "" {
			t.Errorf("%s: no summary", o.Name)
		}
		if o.Kind == quotekit.OperationDelete {
			if o.Prepare != nil || len(o.Options) > 0 {
				t.Errorf("%s: a delete has no step", o.Name)
			}
			continue
		}
		if o.Prepare == nil {
			t.Errorf("%s: no Prepare", o.Name)
			continue
		}
		examples := map[string]json.RawMessage{}
		for _, option := range o.Options {
			if option.Summary == "" || !json.Valid([]byte(option.Example)) {
				t.Errorf("%s, %s: summary %q, example %q", o.Name, option.Name, option.Summary, option.Example)
			}
			examples[option.Name] = json.RawMessage(option.Example)
		}
		step, problems := o.Prepare(examples)
		if len(problems) > 0 {
			t.Errorf("%s refuses its own examples: %s", o.Name, list(problems))
		}
		got := [3]bool{step.Update != nil, step.Create != nil, step.Format != ""}
		want := [3]bool{o.Kind == quotekit.OperationUpdate, o.Kind == quotekit.OperationCreate, o.Kind == quotekit.OperationExport}
		if got != want {
			t.Errorf("%s: update, create and format are %v, want %v", o.Name, got, want)
		}
	}
}

// A request must not reach a step without what the step needs.
func TestOperations_MissARequiredOption(t *testing.T) {
	for _, o := range operations.Operations() {
		for _, option := range o.Options {
			for _, given := range []map[string]json.RawMessage{nil, {option.Name: json.RawMessage("null")}} {
				_, problems := o.Prepare(given)
				want := ""
				if option.Required {
					want = option.Name + " is required"
				}
				if got := list(problems); got != want {
					t.Errorf("%s without %s: got %q, want %q", o.Name, option.Name, got, want)
				}
			}
		}
	}
}

func TestUpdateQuoteStatus_SetsTheStatus(t *testing.T) {
	for _, status := range quotekit.QuoteStatuses {
		step := mustPrepare(t, "update_quote_status", fmt.Sprintf(`{"status": %q}`, status))
		for _, old := range append([]string{"", "of another application"}, quotekit.QuoteStatuses...) {
			values, problem := step.Update(row{"status": old})
			want := quotekit.Values{"status": status}
			if old == status {
				want = quotekit.Values{}
			}
			if problem != nil || fmt.Sprint(values) != fmt.Sprint(want) {
				t.Errorf("%q to %q: got %v, %v, want %v", old, status, values, problem, want)
			}
		}
	}
}

func TestUpdateQuoteStatus_RefusesOthers(t *testing.T) {
	const oneOf = "status must be one of draft, sent, accepted, declined, expired, converted"
	for options, want := range map[string]string{
		`{"status": "paid"}`:       oneOf,
		`{"status": "Sent"}`:       oneOf,
		`{"status": ""}`:           "status is required",
		`{"status": 1}`:            "status must be a string, not a number",
		`{"status": ["sent"]}`:     "status must be a string, not an array",
		`{"status": "sent\u0000"}`: "status has a control character other than tab and line break",
		`{"status": "\ud800"}`:     "status has text that is not valid Unicode",
	} {
		if _, problems := prepare(t, "update_quote_status", options); list(problems) != want {
			t.Errorf("%s: got %s, want %s", options, list(problems), want)
		}
	}
}

func TestExportQuotes_ReadsTheFormat(t *testing.T) {
	for options, want := range map[string]quotekit.ExportFormat{
		`{}`:                 quotekit.ExportJSON,
		`{"format": null}`:   quotekit.ExportJSON,
		`{"format": "json"}`: quotekit.ExportJSON,
		`{"format": "csv"}`:  quotekit.ExportCSV,
	} {
		if got := mustPrepare(t, "export_quotes", options).Format; got != want {
			t.Errorf("%s: got %s, want %s", options, got, want)
		}
	}
	for options, want := range map[string]string{
		`{"format": "pdf"}`: "format must be one of json, csv",
		`{"format": true}`:  "format must be a string, not a boolean",
	} {
		if _, problems := prepare(t, "export_quotes", options); list(problems) != want {
			t.Errorf("%s: got %s, want %s", options, list(problems), want)
		}
	}
}
