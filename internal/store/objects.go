package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/quotekit/quotekit"
)

// ObjectKey names one Stripe object.
type ObjectKey struct {
	Account  string
	Livemode bool
	Kind     quotekit.Kind
	ID       string
}

// Compare orders keys as they are locked.
func (k ObjectKey) Compare(l ObjectKey) int {
	return cmp.Or(strings.Compare(k.Account, l.Account), compareBools(k.Livemode, l.Livemode),
		strings.Compare(string(k.Kind), string(l.Kind)), strings.Compare(k.ID, l.ID))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// LockObjects locks objects until the transaction ends and returns the state
// kept of each, empty for an object that nobody has locked before. Keys are
// unique.
//
// The lock is an update of the row: the second of two processes waits here and
// then reads what the first has committed.
func (tx *Tx) LockObjects(ctx context.Context, keys []ObjectKey) (map[ObjectKey]string, error) {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, ObjectKey.Compare)
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.Account, k.Livemode, string(k.Kind), k.ID, tx.Now}
	}
	states := make(map[ObjectKey]string, len(keys))
	scan := func(r *sql.Rows) error {
		var (
			k     ObjectKey
			state string
		)
		if err := r.Scan(&k.Account, &k.Livemode, &k.Kind, &k.ID, &state); err != nil {
			return err
		}
		states[k] = state
		return nil
	}
	const prefix = `INSERT INTO stripe_objects (account, livemode, kind, object_id, locked_at)`
	const suffix = `ON CONFLICT (account, livemode, kind, object_id) DO UPDATE SET locked_at = excluded.locked_at
RETURNING account, livemode, kind, object_id, state`
	if err := tx.multiRow(ctx, prefix, suffix, 5, rows, scan); err != nil {
		return nil, fmt.Errorf("lock objects: %w", err)
	}
	return states, nil
}

// SaveObjects writes the states of locked objects.
func (tx *Tx) SaveObjects(ctx context.Context, states map[ObjectKey]string) error {
	keys := make([]ObjectKey, 0, len(states))
	for k := range states {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, ObjectKey.Compare)
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{k.Account, k.Livemode, string(k.Kind), k.ID, states[k]}
	}
	const prefix = `INSERT INTO stripe_objects (account, livemode, kind, object_id, state)`
	const suffix = `ON CONFLICT (account, livemode, kind, object_id) DO UPDATE SET state = excluded.state`
	if err := tx.multiRow(ctx, prefix, suffix, 5, rows, nil); err != nil {
		return fmt.Errorf("save objects: %w", err)
	}
	return nil
}
