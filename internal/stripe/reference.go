package stripe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/quotekit/quotekit"
)

// Reference names an object of Stripe's API.
type Reference struct {
	// Type is Stripe's name for what it is, as in data.object.object of an event:
	// customer, checkout.session, setup_intent, …
	Type string
	ID   string
	// Account is the connected account that it belongs to, empty for one's own.
	Account  string
	Livemode bool
}

// resource is what we know of a type of object.
type resource struct {
	path string
	// kind is empty if the object is not mirrored.
	kind quotekit.Kind
	// goneIfMissing: an object that was deleted is not found. Of a deleted
	// customer Stripe still tells, and the others cannot be deleted as long as
	// they mean anything: if one of them is not found, it never was there, or it
	// belongs to another account than the key.
	goneIfMissing bool
}

// resourceOf returns what is known of a type of object.
func resourceOf(objectType string) (resource, bool) {
	switch objectType {
	case "customer":
		return resource{"/v1/customers", quotekit.KindCustomer, false}, true
	case "product":
		return resource{"/v1/products", quotekit.KindProduct, true}, true
	case "price":
		return resource{"/v1/prices", quotekit.KindPrice, true}, true
	case "subscription":
		return resource{"/v1/subscriptions", quotekit.KindSubscription, false}, true
	case "invoice":
		return resource{"/v1/invoices", quotekit.KindInvoice, false}, true
	case "payment_method":
		return resource{"/v1/payment_methods", quotekit.KindPaymentMethod, false}, true
	case "checkout.session":
		return resource{"/v1/checkout/sessions", quotekit.KindCheckoutSession, false}, true
	case "setup_intent":
		return resource{"/v1/setup_intents", "", false}, true
	}
	return resource{}, false
}

// check says why the object cannot be asked for with a key of this mode.
func (r Reference) check(livemode bool) (resource, error) {
	found, ok := resourceOf(r.Type)
	switch {
	case !ok && only(codeName, r.Type) == "": // the message is shown, and this may be anything
		return resource{}, quotekit.Permanent(errors.New("it is not known how to fetch an object of this type"))
	case !ok:
		return resource{}, quotekit.Permanent(fmt.Errorf("it is not known how to fetch an object of the type %.40q", r.Type))
	case r.ID == "" || r.ID == "." || r.ID == "..":
		return resource{}, quotekit.Permanent(fmt.Errorf("a %s without an id cannot be fetched", r.Type))
	case r.Livemode != livemode:
		return resource{}, quotekit.Permanent(fmt.Errorf("the %s is of the %s mode and the key in STRIPE_SECRET_KEY of the other",
			r.Type, modeName(r.Livemode)))
	}
	return found, nil
}

func modeName(livemode bool) string {
	if livemode {
		return "live"
	}
	return "test"
}

func (r Reference) path(found resource) string { return found.path + "/" + url.PathEscape(r.ID) }

// gone is what Stripe answers for an object that was deleted.
func (r Reference) gone() json.RawMessage {
	b, err := json.Marshal(struct {
		ID      string `json:"id"`
		Object  string `json:"object"`
		Deleted bool   `json:"deleted"`
	}{r.ID, r.Type, true})
	if err != nil {
		panic("encode a stub: " + err.Error()) // strings always encode
	}
	return b
}

// ReferenceOf names the object that an event shows. Its type or id is empty if the
// event shows none. Of an event without an object the type follows from its own.
func ReferenceOf(e quotekit.Event) Reference {
	r := Reference{ID: e.ObjectID, Account: e.Account, Livemode: e.Livemode}
	if len(e.Object) == 0 {
		r.Type = objectTypeOf(e.Type)
		return r
	}
	if root, err := parse(string(e.Object)); err == nil {
		r.Type = root.get("object").str()
		root.release()
	}
	return r
}

// objectTypeOf is the type of the objects that events of a type show; empty if it is
// not one that can be fetched.
func objectTypeOf(eventType string) string {
	for _, t := range []string{
		"customer", "product", "price", "subscription", "invoice", "payment_method", "checkout.session", "setup_intent",
	} {
		found, _ := resourceOf(t)
		prefix := t + "."
		if t == "subscription" {
			prefix = "customer.subscription."
		}
		act, ok := strings.CutPrefix(eventType, prefix)
		if ok && !strings.Contains(act, ".") || found.kind != "" && eventType == FetchedType(found.kind) {
			return t
		}
	}
	return ""
}
