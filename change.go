package quotekit

import "encoding/json"

// Kind is a kind of Stripe object that is mirrored. Ids are unique within a
// kind only: an old plan and its product may share one.
type Kind string

// The mirrored kinds.
const (
	KindCustomer        Kind = "customer"
	KindProduct         Kind = "product"
	KindPrice           Kind = "price"
	KindSubscription    Kind = "subscription"
	KindInvoice         Kind = "invoice"
	KindPaymentMethod   Kind = "payment_method"
	KindCheckoutSession Kind = "checkout_session"
)

// Changes is what a handler derives from one event.
type Changes struct {
	// Objects has at most one change of an object.
	Objects []Change
	// History goes to subscription_changes as it is.
	History []SubscriptionChange
}

// Change says what one event knows of one object: at most one snapshot, only
// of the event's own object, plus facts, also about other objects. Snapshots
// compete (see package fold); facts always count, even those of a stale event.
type Change struct {
	Kind     Kind
	ID       string
	Snapshot *Snapshot
	Facts    Facts
}

// Stage is the place of an event type in the life of its object.
type Stage int

// Created precedes updated precedes deleted.
const (
	StageCreated Stage = iota
	StageUpdated
	StageDeleted
)

// Order ranks the snapshots of one object; the greatest wins, compared from
// the first number to the last. What the numbers mean is the kind's own: a
// subscription has (terminal status, event created), an invoice (paid or void,
// created, attempt_count, amount_paid, succeeded).
type Order [5]int64

// Compare returns -1, 0 or 1.
func (o Order) Compare(p Order) int {
	for i := range o {
		switch {
		case o[i] < p[i]:
			return -1
		case o[i] > p[i]:
			return 1
		}
	}
	return 0
}

// Snapshot is the whole object as one event shows it.
type Snapshot struct {
	Order Order
	Stage Stage
	After Row
	// Before is the object as it was before the event, known from
	// previous_attributes. It is nil when the event does not say; an event of
	// [StageCreated] comes from nothing.
	Before Row
}

// Row is one object of the mirror as the tables show it: *Customer, *Product,
// *Price, *Subscription, *Invoice, *PaymentMethod or *CheckoutSession. Rows are
// compared by their JSON, so a row holds what the object says and nothing of
// the event that brought it.
type Row interface {
	Kind() Kind
	// Progress lists monotone fields, most telling first. Of two rows that
	// nothing else can put in order, the greater progress is the later one
	// (stripe-facts, "Order between two snapshots", number 5).
	Progress() []int64
}

// Facts are statements about an object that merge by minimum, maximum or
// union, so that neither order nor repetition matters.
type Facts struct {
	// CreatedAt and DeletedAt are the latest *.created and *.deleted event.
	CreatedAt Seconds `json:"created_at,omitzero"`
	DeletedAt Seconds `json:"deleted_at,omitzero"`
	// DetachedAt is the earliest detachment of a payment method.
	DetachedAt Seconds `json:"detached_at,omitzero"`
	// Customer is the last customer a payment method is known to belong to.
	Customer *Dated[string] `json:"customer,omitempty"`
	// Setup is the last setup intent that succeeded for a payment method.
	Setup *Dated[Setup] `json:"setup,omitempty"`
	// Claims name the user of a customer, or of an object without a customer.
	Claims []Claim `json:"claims,omitempty"`
}

// Dated is a value and the event that states it. Of two, the one with the
// later event wins; of two in one second, the one with the greater event id.
type Dated[T any] struct {
	At      Seconds `json:"at"`
	EventID string  `json:"event_id"`
	Value   T       `json:"value"`
}

// Setup is what a setup intent says about a payment method.
type Setup struct {
	StripeSetupIntentID string  `json:"stripe_setup_intent_id"`
	Usage               *string `json:"usage,omitempty"`
	StripeMandateID     *string `json:"stripe_mandate_id,omitempty"`
}

// ClaimSource ranks the places a user id is found in; the smaller, the better.
type ClaimSource int

// The sources in their order (PRODUCT, "User link").
const (
	ClaimCustomerMetadata ClaimSource = iota + 1
	ClaimClientReference
	ClaimSessionMetadata
	ClaimSubscriptionMetadata
	ClaimSetupIntentMetadata
)

// Claim says that an object belongs to a user of the application. Of claims
// that differ, the smallest (Created, Source, EventID) wins.
type Claim struct {
	UserID  string      `json:"user_id"`
	Created Seconds     `json:"created"`
	Source  ClaimSource `json:"source"`
	EventID string      `json:"event_id"`
}

// SubscriptionChange is one field that an event says has changed, from its own
// previous_attributes.
type SubscriptionChange struct {
	StripeSubscriptionID string
	Field                string
	// Before and After are JSON; "null" for nothing.
	Before, After json.RawMessage
	ChangedAt     Seconds
}
