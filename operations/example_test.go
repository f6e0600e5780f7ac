package operations_test

import (
	"encoding/json"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/operations"
)

// shelf is a row with a price.
type shelf struct{ price quotekit.Cents }

func (s shelf) Text(string) string                  { return s.price.String() }
func (s shelf) Cents(string) (quotekit.Cents, bool) { return s.price, true }

// An operation is pure, so it can be tried without a service: options in, a step out that
// says what becomes of a row.
func ExampleOperations() {
	for _, operation := range operations.Operations() {
		if operation.Name != "update_item_prices" {
			continue
		}
		step, problems := operation.Prepare(map[string]json.RawMessage{
			"price_adjustment": json.RawMessage(`{"type": "percentage", "value": "5"}`),
		})
		if problems != nil {
			fmt.Println(problems)
			return
		}
		values, failure := step.Update(shelf{price: 19_90})
		fmt.Println(values["unit_price"], failure)
	}
	// Output: 20.90 <nil>
}
