package operations

import (
	"encoding/json"

	"github.com/quotekit/quotekit"
)

// Operations is the table of what can be done to many rows at once. Any other
// name is refused.
func Operations() []quotekit.Operation {
	return []quotekit.Operation{
		{
			Name: "delete_quotes", Summary: "Delete quotes.",
			Kind: quotekit.OperationDelete, Table: quotekit.Quotes,
		},
		{
			Name: "update_quote_status", Summary: "Give quotes another status.",
			Kind: quotekit.OperationUpdate, Table: quotekit.Quotes, Columns: []string{"status"},
			Options: []quotekit.Option{{
				Name: "status", Summary: "The new status: " + statusList() + ".",
				Required: true, Example: `"sent"`,
			}},
			Prepare: updateQuoteStatus,
		},
		{
			Name: "export_quotes", Summary: "Write quotes into a file.",
			Kind: quotekit.OperationExport, Table: quotekit.Quotes, MaxItems: 500,
			Options: []quotekit.Option{{
				Name: "format", Summary: "The format of the file: json, which is the default, or csv.",
				Example: `"csv"`,
			}},
			Prepare: exportQuotes,
		},
		{
			Name: "delete_clients", Summary: "Delete clients. Their quotes stay, and keep the client's name.",
			Kind: quotekit.OperationDelete, Table: quotekit.Clients,
		},
		{
			Name: "update_item_prices", Summary: "Raise or lower the prices of items.",
			Kind: quotekit.OperationUpdate, Table: quotekit.Items, Columns: []string{"unit_price"},
			Options: []quotekit.Option{{
				Name: "price_adjustment",
				Summary: "type is percentage or fixed, value a decimal as a string: what to raise a price by, " +
					"negative to lower it. The new price is rounded half up to the cent.",
				Required: true, Example: `{"type": "percentage", "value": "5"}`,
			}},
			Prepare: updateItemPrices,
		},
		{
			Name: "bulk_create_items", Summary: "Create items from objects.",
			Kind: quotekit.OperationCreate, Table: quotekit.Items, Prepare: creates(createItem),
		},
		{
			Name: "bulk_create_clients", Summary: "Create clients from objects.",
			Kind: quotekit.OperationCreate, Table: quotekit.Clients, Prepare: creates(createClient),
		},
		{
			Name: "bulk_create_quotes", Summary: "Create quotes from objects.",
			Kind: quotekit.OperationCreate, Table: quotekit.Quotes, Prepare: creates(createQuote),
		},
	}
}

// prepareFunc is the type of [quotekit.Operation]'s Prepare.
type prepareFunc = func(map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError)

// creates makes the Prepare of a create, which has no options. Each create
// gives all columns of its table that a caller may set, nil where the object
// says nothing, so that all rows of a job have the same columns. Only the
// created_at of a quote is left out then: the store has a better one than NULL.
func creates(create func(json.RawMessage) (quotekit.Values, []quotekit.FieldError)) prepareFunc {
	return func(map[string]json.RawMessage) (quotekit.Step, []quotekit.FieldError) {
		return quotekit.Step{Create: create}, nil
	}
}
