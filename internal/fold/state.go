package fold

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/quotekit/quotekit"
)

// nothing is the digest an edge of a creation leads from.
const nothing = "0"

// State is the evidence about one object. The zero value is an object nothing
// is known of.
type State struct {
	Top   level          `json:"top,omitzero"`
	Below level          `json:"below,omitzero"`
	Facts quotekit.Facts `json:"facts,omitzero"`
	Items items          `json:"items,omitzero"`
	// Conflicts are the keys of the claims that were already recorded as losing.
	Conflicts []string `json:"conflicts,omitempty"`
	// Followers are the kinds of objects that have ever named this customer.
	Followers []quotekit.Kind `json:"followers,omitempty"`
	// Forgotten: the person of the object was forgotten, and this is all that is kept
	// of it; see [State.Forget].
	Forgotten bool `json:"forgotten,omitempty"`

	kind quotekit.Kind
}

// level is the snapshots of one order.
type level struct {
	Order quotekit.Order `json:"order"`
	Edges []edge         `json:"edges"`
}

// edge is one snapshot: a step of the object from one state to another.
type edge struct {
	// From is the digest of the state before, [nothing], or empty if unknown.
	From string `json:"from,omitempty"`
	// To is the digest of the state after.
	To    string         `json:"to"`
	Stage quotekit.Stage `json:"stage,omitzero"`
	// Row is the state after; only the top level keeps it.
	Row jsontext.Value `json:"row,omitempty"`

	row quotekit.Row // as it came in, or decoded from Row by [State.decode]
}

// Parse reads a state as [State.Encode] wrote it; empty is the state of an
// object that nothing is known of.
func Parse(kind quotekit.Kind, text string) (*State, error) {
	s := &State{kind: kind}
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("parse state of a %s: %w", kind, err)
	}
	return s, nil
}

// decode reads the rows of the top level. Most states are locked only for their
// user or are overtaken by a newer snapshot, so it is left until it is needed.
func (s *State) decode() error {
	for i := range s.Top.Edges {
		e := &s.Top.Edges[i]
		if e.row != nil {
			continue
		}
		row, err := newRow(s.kind)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(e.Row, row); err != nil {
			return fmt.Errorf("parse row in the state of a %s: %w", s.kind, err)
		}
		e.row = row
	}
	return nil
}

// Encode returns the state as text. Equal evidence gives equal text, but for
// the list of conflicts, which follows the order of arrival.
func (s *State) Encode() (string, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encode state: %w", err)
	}
	return string(b), nil
}

// Change is a change that is ready to be applied: what can be computed without
// the state has been, so that little is left to do under the lock.
type Change struct {
	quotekit.Change
	edge *edge // nil without a snapshot
}

// Prepare makes changes ready.
func Prepare(changes []quotekit.Change) ([]Change, error) {
	prepared := make([]Change, len(changes))
	for i, c := range changes {
		prepared[i].Change = c
		if c.Snapshot == nil {
			continue
		}
		e, err := newEdge(*c.Snapshot)
		if err != nil {
			return nil, err
		}
		prepared[i].edge = &e
	}
	return prepared, nil
}

// Apply adds what one event knows about the object, and makes the state ready
// to be read.
func (s *State) Apply(c Change) error {
	if s.Forgotten {
		return nil
	}
	s.Facts = mergeFacts(s.Facts, c.Facts)
	if c.edge == nil {
		return s.decode()
	}
	order, e := c.Snapshot.Order, *c.edge
	switch cmp := order.Compare(s.Top.Order); {
	case cmp > 0 || len(s.Top.Edges) == 0:
		if err := s.overtake(); err != nil {
			return err
		}
		s.Top = level{Order: order, Edges: []edge{e}}
	case cmp == 0:
		s.Top.add(e)
	default:
		s.Items.absorb(level{Order: order, Edges: []edge{e}})
		e.Row, e.row = nil, nil
		switch cmp := order.Compare(s.Below.Order); {
		case len(s.Below.Edges) == 0 || cmp > 0:
			s.Below = level{Order: order, Edges: []edge{e}}
		case cmp == 0:
			s.Below.add(e)
		}
	}
	return s.decode()
}

// Forget drops all evidence, for good: nothing that is applied to the state before or
// after it changes what is left.
func (s *State) Forget() { *s = State{Forgotten: true, kind: s.kind} }

// Tombstone is what [State.Encode] returns of every state that was told to forget.
const Tombstone = `{"forgotten":true}`

// overtake makes the top level the level below.
func (s *State) overtake() error {
	if len(s.Top.Edges) == 0 {
		return nil
	}
	if s.kind == quotekit.KindSubscription { // the others have no items
		if err := s.decode(); err != nil {
			return err
		}
		s.Items.absorb(s.Top)
	}
	s.Below = s.Top.digest()
	return nil
}

func newEdge(s quotekit.Snapshot) (edge, error) {
	e := edge{Stage: s.Stage, row: s.After}
	var err error
	if e.Row, e.To, err = digest(s.After); err != nil {
		return edge{}, err
	}
	switch {
	case s.Stage == quotekit.StageCreated:
		e.From = nothing
	case s.Before != nil:
		if _, e.From, err = digest(s.Before); err != nil {
			return edge{}, err
		}
	}
	return e, nil
}

func digest(row quotekit.Row) (jsontext.Value, string, error) {
	b, err := json.Marshal(row)
	if err != nil {
		return nil, "", fmt.Errorf("encode row of a %s: %w", row.Kind(), err)
	}
	sum := sha256.Sum256(b)
	return b, base64.RawStdEncoding.EncodeToString(sum[:12]), nil
}

// add keeps edges sorted and each once, so that equal sets encode equally.
func (l *level) add(e edge) {
	i, found := slices.BinarySearchFunc(l.Edges, e, compareEdges)
	if !found {
		l.Edges = slices.Insert(l.Edges, i, e)
	}
}

func compareEdges(a, b edge) int {
	return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.To, b.To), cmp.Compare(a.Stage, b.Stage))
}

func (l level) digest() level {
	edges := slices.Clone(l.Edges)
	for i := range edges {
		edges[i].Row, edges[i].row = nil, nil
	}
	return level{Order: l.Order, Edges: edges}
}

// newRow returns an empty row of the kind.
func newRow(kind quotekit.Kind) (quotekit.Row, error) {
	switch kind {
	case quotekit.KindCustomer:
		return new(quotekit.Customer), nil
	case quotekit.KindProduct:
		return new(quotekit.Product), nil
	case quotekit.KindPrice:
		return new(quotekit.Price), nil
	case quotekit.KindSubscription:
		return new(quotekit.Subscription), nil
	case quotekit.KindInvoice:
		return new(quotekit.Invoice), nil
	case quotekit.KindPaymentMethod:
		return new(quotekit.PaymentMethod), nil
	case quotekit.KindCheckoutSession:
		return new(quotekit.CheckoutSession), nil
	}
	return nil, fmt.Errorf("unknown kind of object %q", kind)
}
