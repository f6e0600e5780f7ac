package quotekit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/quotekit/quotekit"
)

// A route of one's own names the handler of an event type. This one belongs to no object of
// the mirror; it may call others, so it is deferred.
func ExampleRoute() {
	route := quotekit.Route{
		Type: "payout.failed", Handler: "payout", Priority: 2, Timeout: 5 * time.Second, Deferred: true,
		Handle: func(_ context.Context, e quotekit.Event) (quotekit.Changes, error) {
			var payout struct {
				FailureCode string `json:"failure_code"`
			}
			if err := json.Unmarshal(e.Object, &payout); err != nil || payout.FailureCode == "" {
				return quotekit.Changes{}, quotekit.Permanent(errors.New("the payout has no failure_code"))
			}
			fmt.Println("somebody is told of", payout.FailureCode)
			return quotekit.Changes{}, nil
		},
	}
	_, err := route.Handle(context.Background(), quotekit.Event{Type: route.Type, Object: []byte(`{"failure_code":"account_closed"}`)})
	fmt.Println(err)
	_, err = route.Handle(context.Background(), quotekit.Event{Type: route.Type, Object: []byte(`{}`)})
	fmt.Println(err, quotekit.IsPermanent(err))
	// Output:
	// somebody is told of account_closed
	// <nil>
	// the payout has no failure_code true
}

// Money is never a float.
func ExampleParseCents() {
	price, err := quotekit.ParseCents("19.9")
	fmt.Println(price, err)
	_, err = quotekit.ParseCents("0.999")
	fmt.Println(err != nil)
	// Output:
	// 19.90 <nil>
	// true
}
