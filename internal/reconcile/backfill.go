package reconcile

import (
	"context"
	"fmt"
	"slices"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/stripe"
	"github.com/quotekit/quotekit/internal/task"
)

// listing is a list of Stripe's that a backfill reads.
type listing struct {
	name string
	kind quotekit.Kind
}

// listings are all of them, in the order in which they are read: payment methods
// are listed for the customers that are known by then.
var listings = []listing{
	{"customers", quotekit.KindCustomer},
	{"products", quotekit.KindProduct},
	{"prices", quotekit.KindPrice},
	{"subscriptions", quotekit.KindSubscription},
	{"invoices", quotekit.KindInvoice},
	{"payment_methods", quotekit.KindPaymentMethod},
}

// Lists are the names of what a backfill can bring.
func Lists() []string {
	names := make([]string, len(listings))
	for i, l := range listings {
		names[i] = l.name
	}
	return names
}

type backfillArguments struct {
	// Only are names of lists, in the order of [Lists].
	Only []string `json:"only"`
}

// BackfillReport is what a backfill has done so far, by list.
type BackfillReport struct {
	Lists map[string]*ListReport `json:"lists"`
}

// ListReport is what became of a list.
type ListReport struct {
	// Listed is how many objects Stripe has listed.
	Listed int `json:"listed"`
	// Skipped of them are drafts of invoices: they may vanish without a word.
	Skipped int `json:"skipped"`
	// Imported are kept; Failed of them are in the dead letter queue, Pending are
	// attempted again.
	Imported int  `json:"imported"`
	Failed   int  `json:"failed"`
	Pending  int  `json:"pending"`
	Done     bool `json:"done"`
}

// place is where the next step of a backfill begins.
type place struct {
	List int `json:"list"`
	// After is the object that the page before ended with.
	After string `json:"after,omitempty"`
	// Customer is the last one whose payment methods have been listed.
	Customer string `json:"customer,omitempty"`
}

// StartBackfill starts a backfill of these lists, all of them if there are none.
// It fails with [quotekit.EConflict] while one is under way.
func (s *Service) StartBackfill(ctx context.Context, only []string, act quotekit.Act) (taskID string, err error) {
	wanted := slices.DeleteFunc(Lists(), func(name string) bool { return len(only) > 0 && !slices.Contains(only, name) })
	return s.start(ctx, store.NewTask{Kind: KindBackfill, Arguments: mustEncode(backfillArguments{wanted}), Act: act})
}

// backfillStep imports one page.
func (s *Service) backfillStep(ctx context.Context, t store.Task) (task.Progress, error) {
	var a backfillArguments
	r := BackfillReport{map[string]*ListReport{}}
	var at place
	err := readTask(t, &a, &r, &at)
	if err != nil {
		return task.Progress{}, err
	}
	progress := func() task.Progress {
		p := task.Progress{Cursor: string(mustEncode(at)), Report: mustEncode(r), Finished: at.List == len(a.Only)}
		for _, l := range r.Lists {
			p.Done += l.Imported
		}
		return p
	}
	if at.List == len(a.Only) {
		return progress(), nil
	}
	i := slices.IndexFunc(listings, func(l listing) bool { return l.name == a.Only[at.List] })
	if i < 0 {
		return task.Progress{}, quotekit.Permanent(fmt.Errorf("there is no list %.40q", a.Only[at.List]))
	}
	l := listings[i]
	if r.Lists[l.name] == nil {
		r.Lists[l.name] = new(ListReport)
	}
	customer := ""
	if l.kind == quotekit.KindPaymentMethod {
		if customer, err = s.store.CustomerAfter(ctx, s.API.Livemode(), at.Customer); err != nil {
			return task.Progress{}, err
		}
		if customer == "" {
			r.Lists[l.name].Done, at = true, place{List: at.List + 1}
			return progress(), nil
		}
	}
	page, err := s.API.Objects(ctx, l.kind, customer, at.After)
	switch {
	case at.After != "" && stripe.IsMissing(err):
		at.After = "" // what the page before ended with is gone: this list anew
		return progress(), nil
	case customer != "" && stripe.IsMissing(err):
		page = stripe.ObjectPage{} // the customer is gone
	case err != nil:
		return task.Progress{}, failed(err)
	}
	if err := s.bring(ctx, t, r.Lists[l.name], page); err != nil {
		return task.Progress{}, err
	}
	switch {
	case page.HasMore && page.Last != "":
		at.After = page.Last
	case customer != "":
		at.After, at.Customer = "", customer
	default:
		r.Lists[l.name].Done, at = true, place{List: at.List + 1}
	}
	return progress(), nil
}

// bring imports the objects of a page.
func (s *Service) bring(ctx context.Context, t store.Task, r *ListReport, page stripe.ObjectPage) error {
	var payloads [][]byte
	for _, o := range page.Objects {
		payload, err := stripe.FetchedEvent(o)
		if err != nil {
			return err
		}
		payloads = append(payloads, payload)
	}
	r.Listed += len(page.Objects) + page.Drafts
	r.Skipped += page.Drafts
	if len(payloads) == 0 {
		return nil
	}
	statuses, err := s.Import(rest.WithRequestID(ctx, t.ID), KindBackfill, payloads)
	if err != nil {
		return err
	}
	for _, status := range statuses {
		r.Imported++
		switch status {
		case quotekit.EventDead:
			r.Failed++
		case quotekit.EventPending:
			r.Pending++
		}
	}
	return nil
}
