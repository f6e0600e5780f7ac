package fold

import (
	"bytes"
	"slices"

	"github.com/quotekit/quotekit"
)

// Row returns the row that the snapshots agree on, or nil if there are none. The
// state has been applied to, as for everything that is read off rows.
// The rules are those of the package documentation.
func (s *State) Row() quotekit.Row {
	if e := s.winner(); e != nil {
		return e.row
	}
	return nil
}

// SnapshotAt returns when the event of the row happened, zero without a row.
func (s *State) SnapshotAt() quotekit.Seconds {
	switch {
	case len(s.Top.Edges) == 0:
		return 0
	case s.kind == quotekit.KindSubscription || s.kind == quotekit.KindInvoice:
		return quotekit.Seconds(s.Top.Order[1]) // behind the terminal status
	}
	return quotekit.Seconds(s.Top.Order[0])
}

func (s *State) winner() *edge {
	switch len(s.Top.Edges) {
	case 0:
		return nil
	case 1:
		return &s.Top.Edges[0]
	}
	nodes := s.Top.nodes()
	if deleted := slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return n.edge.Stage != quotekit.StageDeleted }); len(deleted) > 0 {
		return last(deleted)
	}
	if ends := endStates(nodes); len(ends) > 0 {
		return last(ends)
	}
	before := s.Below.nodes()
	if ends := endStates(before); len(ends) > 0 {
		before = ends
	}
	back := slices.DeleteFunc(slices.Clone(nodes), func(n node) bool {
		return !slices.ContainsFunc(before, func(b node) bool { return b.edge.To == n.edge.To })
	})
	if len(back) > 0 {
		return last(back)
	}
	return last(nodes)
}

// node is a state that is entered by at least one edge of a level.
type node struct {
	// edge is the edge of the latest stage that leads to the state.
	edge *edge
	// balance is how often the state is entered minus how often it is left.
	balance int
}

func (l level) nodes() []node {
	var nodes []node
	for i := range l.Edges {
		e := &l.Edges[i]
		at := slices.IndexFunc(nodes, func(n node) bool { return n.edge.To == e.To })
		if at < 0 {
			nodes = append(nodes, node{edge: e})
		} else if e.Stage > nodes[at].edge.Stage {
			nodes[at].edge = e
		}
	}
	for i, e := range l.Edges {
		if e.From == "" || e.From == e.To || l.sameStep(i) {
			continue
		}
		for j := range nodes {
			if nodes[j].edge.To == e.To {
				nodes[j].balance++
			}
			if nodes[j].edge.To == e.From {
				nodes[j].balance--
			}
		}
	}
	return nodes
}

// sameStep reports whether the edge before i makes the same step under another stage.
func (l level) sameStep(i int) bool {
	return i > 0 && l.Edges[i-1].From == l.Edges[i].From && l.Edges[i-1].To == l.Edges[i].To
}

func endStates(nodes []node) []node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n node) bool { return n.balance < 1 })
}

// last picks the latest of nodes that the edges do not put in order.
func last(nodes []node) *edge {
	return slices.MaxFunc(nodes, func(a, b node) int {
		if a.edge.Stage != b.edge.Stage {
			return int(a.edge.Stage - b.edge.Stage)
		}
		if c := slices.Compare(a.edge.row.Progress(), b.edge.row.Progress()); c != 0 {
			return c
		}
		return bytes.Compare(a.edge.Row, b.edge.Row)
	}).edge
}
