package monitor

import "github.com/quotekit/quotekit/internal/stripe"

// Mask returns a payload as JSON text for people: the order of its keys and its
// numbers as they were received, and every string that is not known to be harmless
// as "•••". It is the one place where that is decided; docs/dashboard.md says what
// is shown.
func Mask(payload []byte) string { return stripe.Mask(payload) }
