package stripe

import (
	"encoding/json"

	"github.com/quotekit/quotekit"
)

// DecodeSubscription reads a subscription with its items.
//
// Periods stand at the top in the old shape and in the items in the new one;
// the row has both: items without a period take the subscription's, and a
// subscription without one takes that of the item that ends first, as Stripe
// does where it needs one date. Price and quantity are those of the first item;
// without items, those of the top-level plan.
func DecodeSubscription(object, previous []byte) (Decoded[quotekit.Subscription], error) {
	return decode(object, previous, readSubscription)
}

func readSubscription(o *object) *quotekit.Subscription {
	s := &quotekit.Subscription{
		StripeSubscriptionID:   o.id(),
		StripeCustomerID:       o.ref("customer"),
		Status:                 o.text("status"),
		Currency:               o.text("currency"),
		CollectionMethod:       o.text("collection_method"),
		CurrentPeriodStart:     o.seconds("current_period_start"),
		CurrentPeriodEnd:       o.seconds("current_period_end"),
		CancelAt:               o.seconds("cancel_at"),
		CancelAtPeriodEnd:      o.boolean("cancel_at_period_end"),
		CanceledAt:             o.seconds("canceled_at"),
		EndedAt:                o.seconds("ended_at"),
		CancellationDetails:    o.json("cancellation_details"),
		TrialStart:             o.seconds("trial_start"),
		TrialEnd:               o.seconds("trial_end"),
		PauseCollection:        o.json("pause_collection"),
		DefaultPaymentMethodID: o.ref("default_payment_method"),
		DefaultSourceID:        o.ref("default_source"),
		LatestInvoiceID:        o.ref("latest_invoice"),
		Discounts:              discounts(o),
		Metadata:               o.metadata("metadata"),
		StartDate:              o.seconds("start_date"),
		StripeCreatedAt:        o.seconds("created"),
	}
	s.Items, s.ItemsCut = items(o)
	fillPeriods(s)
	plan, quantity := o.ref("plan"), o.integer("quantity")
	if len(s.Items) > 0 {
		plan, quantity = s.Items[0].StripePriceID, s.Items[0].Quantity
	}
	s.StripePriceID, s.Quantity = plan, quantity
	return s
}

// items reads the list of items. An id that stands in it twice counts once,
// with what it says last.
func items(o *object) ([]quotekit.SubscriptionItem, bool) {
	list, cut := o.list("items")
	rows := make([]quotekit.SubscriptionItem, 0, len(list))
	seen := make(map[string]int, len(list))
	for _, i := range list {
		price, product := priceOf(i)
		row := quotekit.SubscriptionItem{
			StripeSubscriptionItemID: i.id(),
			StripePriceID:            price,
			StripeProductID:          product,
			Quantity:                 i.integer("quantity"),
			CurrentPeriodStart:       i.seconds("current_period_start"),
			CurrentPeriodEnd:         i.seconds("current_period_end"),
			Metadata:                 i.metadata("metadata"),
			StripeCreatedAt:          i.seconds("created"),
		}
		if at, ok := seen[row.StripeSubscriptionItemID]; ok {
			rows[at] = row
			continue
		}
		seen[row.StripeSubscriptionItemID] = len(rows)
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, cut
	}
	return rows, cut
}

// priceOf returns the ids of the price, before 2020 of the plan, that an item
// or an old invoice line is for, and of its product.
func priceOf(o *object) (price, product *string) {
	for _, key := range [...]string{"price", "plan"} {
		if price != nil {
			break
		}
		price = o.ref(key)
		if o.get(key).isObject() {
			product = o.hash(key).ref("product")
		}
	}
	return price, product
}

// fillPeriods gives the items the period of the subscription, or the other way round.
func fillPeriods(s *quotekit.Subscription) {
	if s.CurrentPeriodStart == nil && s.CurrentPeriodEnd == nil {
		for _, i := range s.Items {
			if i.CurrentPeriodEnd == nil {
				continue
			}
			if s.CurrentPeriodEnd == nil || *i.CurrentPeriodEnd < *s.CurrentPeriodEnd {
				s.CurrentPeriodStart, s.CurrentPeriodEnd = i.CurrentPeriodStart, i.CurrentPeriodEnd
			}
		}
		return
	}
	for n := range s.Items {
		if i := &s.Items[n]; i.CurrentPeriodStart == nil && i.CurrentPeriodEnd == nil {
			i.CurrentPeriodStart, i.CurrentPeriodEnd = s.CurrentPeriodStart, s.CurrentPeriodEnd
		}
	}
}

// discount is one element of the column discounts; its fields are in the order
// of their names, so that the JSON is canonical.
type discount struct {
	Coupon *string `json:"coupon"`
	ID     *string `json:"id"`
}

// discounts lists discounts[] (ids, or objects where expanded), or the one in
// discount, which is all that old shapes have. Where discounts[] has only an
// id, discount may still tell its coupon.
func discounts(o *object) quotekit.JSON {
	var single *discount
	if o.has("discount") {
		single = readDiscount(o.hash("discount"))
	}
	elements := o.array("discounts")
	if elements.missing() && single == nil {
		return ""
	}
	list := make([]discount, 0, 1)
	for e := range elements.all() {
		switch {
		case e.isString() && isName(e.str()):
			id := e.str()
			d := discount{ID: &id}
			if single != nil && single.ID != nil && *single.ID == id {
				d.Coupon = single.Coupon
			}
			list = append(list, d)
		case e.isObject():
			list = append(list, *readDiscount(&object{value: e, parent: o, name: "discounts", index: len(list), first: o.first}))
		default:
			o.wrong("discounts", "an array of ids or objects")
		}
	}
	if len(list) == 0 && single != nil {
		list = append(list, *single)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "" // cannot be: two strings
	}
	return quotekit.JSON(text)
}

// readDiscount reads a discount: its coupon stands in coupon, since clover in
// source.coupon.
func readDiscount(o *object) *discount {
	d := &discount{ID: o.ref("id"), Coupon: o.ref("coupon")}
	if d.Coupon == nil {
		d.Coupon = o.hash("source").ref("coupon")
	}
	return d
}
