package fold

import (
	"cmp"
	"slices"
	"strings"

	"github.com/quotekit/quotekit"
)

func mergeFacts(a, b quotekit.Facts) quotekit.Facts {
	a.CreatedAt = max(a.CreatedAt, b.CreatedAt)
	a.DeletedAt = max(a.DeletedAt, b.DeletedAt)
	if b.DetachedAt != 0 && (a.DetachedAt == 0 || b.DetachedAt < a.DetachedAt) {
		a.DetachedAt = b.DetachedAt
	}
	a.Customer = later(a.Customer, b.Customer)
	a.Setup = later(a.Setup, b.Setup)
	for _, c := range b.Claims {
		a.Claims = mergeClaim(a.Claims, c)
	}
	return a
}

func later[T any](a, b *quotekit.Dated[T]) *quotekit.Dated[T] {
	if a == nil || (b != nil && cmp.Or(cmp.Compare(b.At, a.At), strings.Compare(b.EventID, a.EventID)) > 0) {
		return b
	}
	return a
}

// mergeClaim keeps the smallest evidence of every user and source, smallest
// first. The slice is not changed in place.
func mergeClaim(claims []quotekit.Claim, c quotekit.Claim) []quotekit.Claim {
	claims = slices.Clone(claims)
	at := slices.IndexFunc(claims, func(d quotekit.Claim) bool { return d.UserID == c.UserID && d.Source == c.Source })
	switch {
	case at < 0:
		claims = append(claims, c)
	case compareClaims(c, claims[at]) < 0:
		claims[at] = c
	}
	slices.SortFunc(claims, compareClaims)
	return claims
}

func compareClaims(a, b quotekit.Claim) int {
	return cmp.Or(cmp.Compare(a.Created, b.Created), cmp.Compare(a.Source, b.Source),
		strings.Compare(a.EventID, b.EventID), strings.Compare(a.UserID, b.UserID))
}

// User returns the user the claims agree on, empty if there is no claim.
func (s *State) User() string {
	if len(s.Facts.Claims) == 0 {
		return ""
	}
	return s.Facts.Claims[0].UserID
}

// NewConflicts returns the losing claims that were not returned before, and
// remembers that they were. What is returned, and only that, is for the audit
// trail: which claims lose on the way depends on the order of arrival, which
// user wins does not.
func (s *State) NewConflicts() []quotekit.Claim {
	var lost []quotekit.Claim
	for _, c := range s.Facts.Claims {
		key := c.UserID + " " + string(rune('0'+c.Source))
		if c.UserID == s.User() || slices.Contains(s.Conflicts, key) {
			continue
		}
		s.Conflicts = append(s.Conflicts, key)
		lost = append(lost, c)
	}
	return lost
}

// Follow notes that objects of a kind follow this customer, and reports whether
// that is new.
func (s *State) Follow(kind quotekit.Kind) bool {
	i, found := slices.BinarySearch(s.Followers, kind)
	if !found {
		s.Followers = slices.Insert(s.Followers, i, kind)
	}
	return !found
}

// Deleted reports whether the object's deletion is not older than its creation.
func (s *State) Deleted() bool {
	return s.Facts.DeletedAt != 0 && s.Facts.DeletedAt >= s.Facts.CreatedAt
}

// Customer returns the Stripe id of the customer whose user the object
// follows, empty if it has none: the row's customer, and of a payment method
// the last customer it is known to have belonged to.
func (s *State) Customer() string {
	if s.Facts.Customer != nil {
		return s.Facts.Customer.Value
	}
	var id *string
	switch row := s.Row().(type) {
	case *quotekit.Subscription:
		id = row.StripeCustomerID
	case *quotekit.Invoice:
		id = row.StripeCustomerID
	case *quotekit.CheckoutSession:
		id = row.StripeCustomerID
	}
	if id == nil {
		return ""
	}
	return *id
}

// CustomerOf returns the customer that a change names for its object, empty if
// it names none.
func CustomerOf(c quotekit.Change) string {
	s := State{kind: c.Kind, Facts: quotekit.Facts{Customer: c.Facts.Customer}}
	if c.Snapshot != nil {
		s.Top.Edges = []edge{{row: c.Snapshot.After}}
	}
	return s.Customer()
}
