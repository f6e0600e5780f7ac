package webhook

import (
	"fmt"

	"github.com/quotekit/quotekit"
)

// Routes finds the route of an event type.
type Routes map[string]*quotekit.Route

// NewRoutes checks a table of routes and makes it ready for look-ups. Every
// problem of the table is an error of whoever wrote it.
func NewRoutes(table []quotekit.Route) (Routes, error) {
	routes := make(Routes, len(table))
	for i := range table {
		r := &table[i]
		switch {
		case r.Type == "" || r.Handler == "" || r.Handle == nil:
			return nil, fmt.Errorf("route %d (%q) lacks its type, handler name or handler", i, r.Type)
		case r.Priority < 1 || r.Priority > quotekit.Lanes:
			return nil, fmt.Errorf("route %s has priority %d, want 1 to %d", r.Type, r.Priority, quotekit.Lanes)
		case r.Timeout <= 0:
			return nil, fmt.Errorf("route %s has no timeout", r.Type)
		case routes[r.Type] != nil:
			return nil, fmt.Errorf("route %s stands twice in the table", r.Type)
		}
		routes[r.Type] = r
	}
	return routes, nil
}

// priority is that of the route; what has none waits behind everything.
func priority(r *quotekit.Route) int {
	if r == nil {
		return quotekit.Lanes
	}
	return r.Priority
}
