package quotekit

import "time"

// ForgetKind is the kind of the tasks that forget a person.
const ForgetKind = "forget"

// ForgetRequest says who is to be forgotten: a customer of Stripe's, or a user of the
// application with all customers that belong to the user. One of the two is empty.
type ForgetRequest struct {
	CustomerID string
	UserID     string
}

// ForgetPreview is what would be forgotten.
type ForgetPreview struct {
	TaskID string
	// Token starts it until ExpiresAt.
	Token     string
	ExpiresAt time.Time
	Customers []ForgottenCustomer
	// Deletes counts by table what would be deleted. Of stripe_webhook_events it is the
	// payloads, and of webhook_dead_letter_queue what the letters say: the rows stay.
	Deletes map[string]int64
	// Keeps counts by table the rows of a user that are the application's, and stay.
	Keeps map[string]int64
	// UnendedSubscriptions are those that may still bring events, which would be ignored.
	UnendedSubscriptions int
}

// ForgottenCustomer is a customer that is to be forgotten.
type ForgottenCustomer struct {
	ID string `json:"id"`
	// Account is the connected account, empty for one's own.
	Account  string `json:"account"`
	Livemode bool   `json:"livemode"`
}
