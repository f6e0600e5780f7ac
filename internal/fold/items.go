package fold

import (
	"cmp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/quotekit/quotekit"
)

// items is what the snapshots below the top level say about the items of a
// subscription. Other kinds leave it empty.
type items struct {
	// Complete is the greatest order of a snapshot with a complete list.
	Complete *quotekit.Order `json:"complete,omitempty"`
	// Known has every item with the greatest order it was shown at.
	Known []knownItem `json:"known,omitempty"`
}

type knownItem struct {
	Order quotekit.Order            `json:"order"`
	Item  quotekit.SubscriptionItem `json:"item"`
}

// absorb takes over what the snapshots of l say.
func (it *items) absorb(l level) {
	for _, e := range l.Edges {
		sub, ok := e.row.(*quotekit.Subscription)
		if !ok {
			return
		}
		if !sub.ItemsCut && (it.Complete == nil || l.Order.Compare(*it.Complete) > 0) {
			order := l.Order
			it.Complete = &order
		}
		for _, item := range sub.Items {
			it.see(knownItem{l.Order, item})
		}
	}
}

func (it *items) see(k knownItem) {
	i, found := slices.BinarySearchFunc(it.Known, k, func(a, b knownItem) int {
		return strings.Compare(a.Item.StripeSubscriptionItemID, b.Item.StripeSubscriptionItemID)
	})
	switch {
	case !found:
		it.Known = slices.Insert(slices.Clone(it.Known), i, k)
	case compareItems(k, it.Known[i]) > 0:
		it.Known = slices.Clone(it.Known)
		it.Known[i] = k
	}
}

func compareItems(a, b knownItem) int {
	if c := a.Order.Compare(b.Order); c != 0 {
		return c
	}
	return cmp.Compare(canonical(a.Item), canonical(b.Item))
}

func canonical(item quotekit.SubscriptionItem) string {
	b, err := json.Marshal(item)
	if err != nil {
		panic("encode subscription item: " + err.Error()) // plain fields only
	}
	return string(b)
}

// Item is an item of a subscription and whether it has left it.
type Item struct {
	quotekit.SubscriptionItem
	Deleted bool
}

// SubscriptionItems returns every item the subscription is known to have had,
// sorted by id. It is empty for other kinds.
func (s *State) SubscriptionItems() []Item {
	winner, ok := s.Row().(*quotekit.Subscription)
	if !ok {
		return nil
	}
	all := items{Complete: s.Items.Complete, Known: s.Items.Known}
	all.absorb(s.Top)
	list := make([]Item, 0, len(all.Known))
	for _, k := range all.Known {
		at := slices.IndexFunc(winner.Items, func(w quotekit.SubscriptionItem) bool {
			return w.StripeSubscriptionItemID == k.Item.StripeSubscriptionItemID
		})
		switch {
		case at >= 0:
			list = append(list, Item{winner.Items[at], false})
		case !winner.ItemsCut:
			list = append(list, Item{k.Item, true})
		default:
			list = append(list, Item{k.Item, all.Complete != nil && all.Complete.Compare(k.Order) > 0})
		}
	}
	return list
}
