package forget

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
	"github.com/quotekit/quotekit/internal/store"
	"github.com/quotekit/quotekit/internal/task"
)

// previewFor is how long a preview can be started.
const previewFor = 15 * time.Minute

// Service forgets people.
type Service struct {
	store *store.Store
	tasks *task.Engine
}

// New makes the kind of task known to the engine.
func New(s *store.Store, tasks *task.Engine) *Service {
	f := &Service{store: s, tasks: tasks}
	tasks.Add(task.Kind{Name: quotekit.ForgetKind, Step: f.step})
	return f
}

// arguments are those of the task. The customers are those that the preview has found.
type arguments struct {
	CustomerID string                       `json:"customer,omitempty"`
	UserID     string                       `json:"user_id,omitempty"`
	Customers  []quotekit.ForgottenCustomer `json:"customers"`
}

// name is the id that was asked for.
func (a arguments) name() string { return a.CustomerID + a.UserID }

func keyOf(c quotekit.ForgottenCustomer) store.ObjectKey {
	return store.ObjectKey{Account: c.Account, Livemode: c.Livemode, Kind: quotekit.KindCustomer, ID: c.ID}
}

// PreviewForget counts what would be deleted, and changes nothing. It fails with
// [quotekit.ENotFound] if nothing is known of the person.
func (s *Service) PreviewForget(ctx context.Context, r quotekit.ForgetRequest, act quotekit.Act) (p quotekit.ForgetPreview, err error) {
	find := func() ([]store.ObjectKey, error) { return s.store.KnownCustomers(ctx, r.CustomerID) }
	if r.UserID != "" {
		find = func() ([]store.ObjectKey, error) { return s.store.CustomersOfUser(ctx, r.UserID) }
	}
	keys, err := find()
	if err != nil {
		return p, err
	}
	p.Customers = []quotekit.ForgottenCustomer{}
	for _, k := range keys {
		p.Customers = append(p.Customers, quotekit.ForgottenCustomer{ID: k.ID, Account: k.Account, Livemode: k.Livemode})
	}
	if err := s.count(ctx, &p, keys, r.UserID); err != nil {
		return p, err
	}
	switch {
	case len(keys) > 0:
	case r.UserID == "":
		return p, quotekit.Errorf(quotekit.ENotFound, "nothing is known of customer %s", r.CustomerID)
	case total(p.Deletes)+total(p.Keeps) == 0:
		return p, quotekit.Errorf(quotekit.ENotFound, "nothing is known of user %s", r.UserID)
	}
	text, err := json.Marshal(arguments{r.CustomerID, r.UserID, p.Customers})
	if err != nil {
		return p, err
	}
	p.TaskID, p.Token = quotekit.NewID(), "forget_"+rand.Text()
	items := int(total(p.Deletes))
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		p.ExpiresAt = tx.Now.Add(previewFor)
		return tx.InsertTask(ctx, store.NewTask{
			ID: p.TaskID, Kind: quotekit.ForgetKind, Arguments: text, Total: &items, Act: act, TokenHash: store.HashToken(p.Token),
		})
	})
	return p, err
}

// StartForget begins what a preview has shown, on behalf of act, and returns the task.
// Started is false if somebody has started it before. It fails with [quotekit.ENotFound],
// and with [quotekit.EInvalid] without a reason.
func (s *Service) StartForget(ctx context.Context, token string, act quotekit.Act) (t store.Task, started bool, err error) {
	t, err = s.store.TaskByToken(ctx, store.HashToken(token))
	if quotekit.CodeOf(err) == quotekit.ENotFound || err == nil && t.Kind != quotekit.ForgetKind {
		return t, false, quotekit.Errorf(quotekit.ENotFound, "there is no preview with this token")
	}
	if err != nil || t.Status != quotekit.TaskPreviewed {
		return t, false, err
	}
	err = s.store.WithTx(ctx, func(tx *store.Tx) error {
		if tx.Now.Sub(t.CreatedAt) > previewFor {
			return rest.NewProblem(http.StatusGone, "preview_expired",
				"The preview is older than 15 minutes, and what it shows may be. Make a new one.")
		}
		started, err = s.tasks.Confirm(ctx, tx, t.ID, t.Arguments, act, previewFor)
		return err
	})
	if err != nil {
		return t, false, err
	}
	t, err = s.store.Task(ctx, t.ID)
	return t, started, err
}

// count looks at everything that the steps will look at.
func (s *Service) count(ctx context.Context, p *quotekit.ForgetPreview, customers []store.ObjectKey, userID string) error {
	p.Deletes, p.Keeps = map[string]int64{}, map[string]int64{}
	seen := map[string]bool{} // events that are found twice
	add := func(events []string, keys []store.ObjectKey) error {
		events = slices.DeleteFunc(events, func(id string) bool {
			known := seen[id]
			seen[id] = true
			return known
		})
		n, err := s.store.CountForgotten(ctx, events, keys)
		sum(p.Deletes, n)
		return err
	}
	objects := func(keys []store.ObjectKey) error {
		for _, piece := range pieces(keys) {
			if err := add(nil, piece); err != nil {
				return err
			}
			err := all(func(after string) ([]string, error) { return s.store.EventsOfObjects(ctx, piece, after, eventsPiece) }, add)
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range customers {
		keys, err := s.store.ObjectsOfCustomer(ctx, c, everything)
		if err != nil {
			return err
		}
		if err := objects(append(keys, c)); err != nil {
			return err
		}
		err = all(func(after string) ([]string, error) { return s.store.EventsOfCustomer(ctx, c, after, eventsPiece) }, add)
		if err != nil {
			return err
		}
		n, err := s.store.UnendedSubscriptions(ctx, c)
		if err != nil {
			return err
		}
		p.UnendedSubscriptions += n
	}
	if userID == "" {
		return nil
	}
	keys, err := s.store.ObjectsOfUser(ctx, userID, everything)
	if err != nil {
		return err
	}
	if err := objects(keys); err != nil {
		return err
	}
	gone, kept, err := s.store.CountOfUser(ctx, userID)
	sum(p.Deletes, gone)
	sum(p.Keeps, kept)
	return err
}

// all reads events page by page and hands them on.
func all(read func(after string) ([]string, error), add func([]string, []store.ObjectKey) error) error {
	for after := ""; ; {
		events, err := read(after)
		if err != nil || len(events) == 0 {
			return err
		}
		after = events[len(events)-1]
		full := len(events) == eventsPiece
		if err := add(events, nil); err != nil || !full {
			return err
		}
	}
}

// sum adds counts by table. Tables without any are left out.
func sum(into, counts map[string]int64) {
	for table, n := range counts {
		if n > 0 {
			into[table] += n
		}
	}
}

func total(counts map[string]int64) (n int64) {
	for c := range maps.Values(counts) {
		n += c
	}
	return n
}
