package handlers_test

import (
	"context"
	"fmt"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/handlers"
)

// A handler is pure, so it can be tried without a service: an event in, changes out.
func ExampleRoutes() {
	event := quotekit.Event{
		ID: "evt_1", Type: "product.updated", Created: 1775000000, ObjectID: "prod_1",
		Object: []byte(`{"id":"prod_1","object":"product","active":true,"name":"Quotes, unlimited"}`),
	}
	for _, route := range handlers.Routes() {
		if route.Type != event.Type {
			continue
		}
		changes, err := route.Handle(context.Background(), event)
		if err != nil {
			fmt.Println(err)
			return
		}
		product := changes.Objects[0].Snapshot.After.(*quotekit.Product)
		fmt.Printf("%s, priority %d: %s is %q\n", route.Handler, route.Priority, product.StripeProductID, *product.Name)
	}
	// Output: product, priority 4: prod_1 is "Quotes, unlimited"
}
