package quotekit

// Act is what an operator does by hand: who, and why. It goes to the audit
// trail with what was done.
type Act struct {
	Actor string
	// UserID is the operator's user in the application; empty for a bearer of
	// an operator token.
	UserID    string
	Reason    string
	RequestID string
}
