package webhook

import (
	"context"
	"fmt"
	"slices"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/fold"
	"github.com/quotekit/quotekit/internal/store"
)

// effect is an event and the decision that says what it changes: nothing, unless it
// succeeded.
type effect struct {
	event *quotekit.Event
	decision
	// keys are the objects that the event changes, and the customers that it names.
	keys []store.ObjectKey
}

// newEffect makes an effect of a decision. The customer is whom the event is about, where
// its changes do not tell; it may be empty.
func newEffect(event *quotekit.Event, d decision, customer string) effect {
	ef := effect{event: event, decision: d}
	if customer != "" {
		ef.keys = append(ef.keys, keyOf(event, quotekit.KindCustomer, customer))
	}
	for _, c := range d.changes {
		ef.keys = append(ef.keys, keyOf(event, c.Kind, c.ID))
		if customer := fold.CustomerOf(c.Change); customer != "" {
			ef.keys = append(ef.keys, keyOf(event, quotekit.KindCustomer, customer))
		}
	}
	return ef
}

// object is a locked object while a group is folded.
type object struct {
	state   *fold.State
	text    string // before the group
	user    string // before the group
	touched bool   // an event of the group says something about it
	dirty   bool   // the state may have changed
}

// applyTx writes the effects of events: it locks every object they touch and
// the customers these belong to, folds the changes into what is known, and
// writes the rows that follow from it. It returns the ids of the events of people who
// were forgotten: they have no effect.
func applyTx(ctx context.Context, tx *store.Tx, effects []effect) (forgotten []string, err error) {
	if len(effects) == 0 {
		return nil, nil
	}
	objects := map[store.ObjectKey]*object{}
	if err := lock(ctx, tx, objects, touchedKeys(effects)); err != nil {
		return nil, err
	}
	for _, ef := range effects {
		if ef.isForgotten(objects) {
			continue
		}
		for _, c := range ef.changes {
			o := objects[keyOf(ef.event, c.Kind, c.ID)]
			o.touched, o.dirty = true, true
			if err := o.state.Apply(c); err != nil {
				return nil, fmt.Errorf("fold event %s: %w", ef.event.ID, err)
			}
		}
	}
	// Only the state tells some customers: that of a payment method that is
	// detached without a word about whom it belonged to.
	if err := lock(ctx, tx, objects, customersOf(objects)); err != nil {
		return nil, err
	}
	var history []store.HistoryRow
	for _, ef := range effects {
		if ef.isForgotten(objects) {
			ef.forget(objects)
			forgotten = append(forgotten, ef.event.ID)
			continue
		}
		for _, h := range ef.history {
			history = append(history, store.HistoryRow{SubscriptionChange: h, Event: ef.event})
		}
	}
	var (
		rows      []store.MirrorRow
		conflicts []store.AuditEntry
		saved     = make(map[store.ObjectKey]string, len(objects))
	)
	for key, o := range objects {
		if o.touched && key.Kind != quotekit.KindCustomer {
			follow(key, o.state, objects)
		}
	}
	for key, o := range objects {
		if !o.dirty {
			continue
		}
		for _, claim := range o.state.NewConflicts() {
			conflicts = append(conflicts, conflictAudit(key, o.state, claim))
		}
		text, err := o.state.Encode()
		if err != nil {
			return nil, err
		}
		if text == o.text {
			continue // nothing new, so the row is what it was
		}
		saved[key] = text
		if row, ok := mirrorRow(key, o.state, objects); ok && o.touched {
			rows = append(rows, row)
		}
	}
	if err := tx.SaveObjects(ctx, saved); err != nil {
		return nil, err
	}
	if err := tx.MergeRows(ctx, rows); err != nil {
		return nil, err
	}
	for _, key := range relinked(objects) {
		customer := objects[key].state
		if err := tx.LinkFollowers(ctx, key, customer.User(), customer.Followers); err != nil {
			return nil, err
		}
	}
	if err := tx.AppendHistory(ctx, history); err != nil {
		return nil, err
	}
	return forgotten, tx.Audit(ctx, conflicts)
}

// isForgotten reports whether an object of the event was forgotten, or its customer was.
func (ef effect) isForgotten(objects map[store.ObjectKey]*object) bool {
	return slices.ContainsFunc(ef.keys, func(key store.ObjectKey) bool {
		o := objects[key]
		if o.state.Forgotten || !o.touched {
			return o.state.Forgotten
		}
		customer := objects[keyOf(ef.event, quotekit.KindCustomer, o.state.Customer())]
		return customer != nil && customer.state.Forgotten
	})
}

// forget makes the objects of the event ones that were forgotten, so that their later
// events are known for what they are without a word about the customer.
func (ef effect) forget(objects map[store.ObjectKey]*object) {
	for _, c := range ef.changes {
		if c.Kind == quotekit.KindProduct || c.Kind == quotekit.KindPrice {
			continue // nobody's
		}
		o := objects[keyOf(ef.event, c.Kind, c.ID)]
		o.state.Forget()
		o.touched, o.dirty = false, true
	}
}

func keyOf(e *quotekit.Event, kind quotekit.Kind, id string) store.ObjectKey {
	return store.ObjectKey{Account: e.Account, Livemode: e.Livemode, Kind: kind, ID: id}
}

// touchedKeys names the objects that events change and the customers that the
// events name for them.
func touchedKeys(effects []effect) []store.ObjectKey {
	seen := map[store.ObjectKey]bool{}
	for _, ef := range effects {
		for _, key := range ef.keys {
			seen[key] = true
		}
	}
	return sortedKeys(seen)
}

func customersOf(objects map[store.ObjectKey]*object) []store.ObjectKey {
	seen := map[store.ObjectKey]bool{}
	for key, o := range objects {
		if !o.touched {
			continue
		}
		if customer := o.state.Customer(); customer != "" {
			key.Kind, key.ID = quotekit.KindCustomer, customer
			seen[key] = objects[key] == nil
		}
	}
	for key, missing := range seen {
		if !missing {
			delete(seen, key)
		}
	}
	return sortedKeys(seen)
}

func sortedKeys(seen map[store.ObjectKey]bool) []store.ObjectKey {
	keys := make([]store.ObjectKey, 0, len(seen))
	for key := range seen {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, store.ObjectKey.Compare)
	return keys
}

func lock(ctx context.Context, tx *store.Tx, objects map[store.ObjectKey]*object, keys []store.ObjectKey) error {
	if len(keys) == 0 {
		return nil
	}
	texts, err := tx.LockObjects(ctx, keys)
	if err != nil {
		return err
	}
	for _, key := range keys {
		state, err := fold.Parse(key.Kind, texts[key])
		if err != nil {
			return fmt.Errorf("object %s: %w", key.ID, err)
		}
		objects[key] = &object{state: state, text: texts[key], user: state.User()}
	}
	return nil
}

// mirrorRow reads the row of an object off its state. An object that is only
// named by others has none: a customer of whom not even the user is known.
func mirrorRow(key store.ObjectKey, s *fold.State, objects map[store.ObjectKey]*object) (store.MirrorRow, bool) {
	r := store.MirrorRow{
		Key:        key,
		Row:        s.Row(),
		UserID:     s.User(),
		Deleted:    s.Deleted(),
		SnapshotAt: s.SnapshotAt(),
	}
	if customer := s.Customer(); customer != "" && key.Kind != quotekit.KindCustomer {
		owner := key
		owner.Kind, owner.ID = quotekit.KindCustomer, customer
		r.UserID = objects[owner].state.User()
		r.StripeCustomerID, r.LastCustomerID = customer, customer
	}
	if s.Facts.DetachedAt != 0 {
		r.StripeCustomerID, r.DetachedAt = "", s.Facts.DetachedAt
	}
	if s.Facts.Setup != nil {
		r.Setup = &s.Facts.Setup.Value
	}
	for _, item := range s.SubscriptionItems() {
		r.Items = append(r.Items, store.MirrorItem(item))
	}
	known := r.Row != nil || r.Deleted || r.Setup != nil || (key.Kind == quotekit.KindCustomer && r.UserID != "")
	return r, known
}

// follow notes with the customer of an object that it has such a follower.
func follow(key store.ObjectKey, s *fold.State, objects map[store.ObjectKey]*object) {
	id := s.Customer()
	if id == "" {
		return
	}
	customer := objects[store.ObjectKey{Account: key.Account, Livemode: key.Livemode, Kind: quotekit.KindCustomer, ID: id}]
	if customer.state.Follow(key.Kind) {
		customer.dirty = true
	}
}

// relinked are the customers whose user has changed.
func relinked(objects map[store.ObjectKey]*object) []store.ObjectKey {
	seen := map[store.ObjectKey]bool{}
	for key, o := range objects {
		if key.Kind == quotekit.KindCustomer && o.state.User() != o.user {
			seen[key] = true
		}
	}
	return sortedKeys(seen)
}

// conflictAudit tells of a claim that lost against that of another user.
func conflictAudit(key store.ObjectKey, s *fold.State, lost quotekit.Claim) store.AuditEntry {
	return store.AuditEntry{
		Actor: "quotekit", Action: store.AuditUserConflict, StripeEventID: lost.EventID, Target: key.ID,
		Reason: "another claim on the object is older or of a better source",
		Before: lost, After: s.Facts.Claims[0],
	}
}
