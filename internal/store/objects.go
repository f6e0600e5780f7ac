package store

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
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
// kept of each; an object that nobody has saved before is not in the map. Keys
// are unique.
//
// The second of two processes waits here and then reads what the first has
// committed: the states are read by a statement that starts when the locks are
// held. On SQLite there is one writer and nothing to lock.
func (tx *Tx) LockObjects(ctx context.Context, keys []ObjectKey) (map[ObjectKey]string, error) {
	states := make(map[ObjectKey]string, len(keys))
	scan := func(r row) error {
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
	lockAndRead := tx.readEachObject
	if tx.dialect == Postgres {
		lockAndRead = tx.lockAndReadObjects
	}
	if err := lockAndRead(ctx, keys, scan); err != nil {
		return nil, fmt.Errorf("lock objects: %w", err)
	}
	return states, nil
}

// lockAndReadObjects differs from [Tx.readEachObject] by necessity: Postgres has
// to lock, and wants few statements.
//
// It takes an advisory lock for every key, in one order everywhere. That costs a
// third of an update of the rows, and an object needs no row to be locked. Two
// keys may share a lock; they then wait for each other in vain, no more. The
// second statement has its snapshot when the first has returned.
//
// A plain join would do for the second, but for a plan that was made while the
// table was small and reads all of it ever after (measured: two thirds of the
// database's time); LATERAL with LIMIT can only be a look-up per key.
func (tx *Tx) lockAndReadObjects(ctx context.Context, keys []ObjectKey, scan func(row) error) error {
	const lock = `SELECT count(pg_advisory_xact_lock(k)) FROM unnest($1::BIGINT[]) AS k`
	const read = `
SELECT o.account, o.livemode, o.kind, o.object_id, o.state
FROM unnest($1::TEXT[], $2::BOOLEAN[], $3::TEXT[], $4::TEXT[]) AS k (account, livemode, kind, object_id)
CROSS JOIN LATERAL (
  SELECT s.account, s.livemode, s.kind, s.object_id, s.state
  FROM stripe_objects AS s
  WHERE s.account = k.account AND s.livemode = k.livemode AND s.kind = k.kind AND s.object_id = k.object_id
  LIMIT 1) AS o`
	var (
		accounts, kinds, ids []string
		modes                []bool
		locks                []int64
	)
	for _, k := range keys {
		accounts, modes = append(accounts, k.Account), append(modes, k.Livemode)
		kinds, ids = append(kinds, string(k.Kind)), append(ids, k.ID)
		locks = append(locks, k.lock())
	}
	slices.Sort(locks)
	return tx.queue.read(ctx,
		query{text: lock, args: []any{slices.Compact(locks)}},
		query{text: read, args: []any{accounts, modes, kinds, ids}, scan: scan})
}

func (tx *Tx) readEachObject(ctx context.Context, keys []ObjectKey, scan func(row) error) error {
	const query = `
SELECT account, livemode, kind, object_id, state
FROM stripe_objects
WHERE account = $1 AND livemode = $2 AND kind = $3 AND object_id = $4`
	stmt, err := tx.prepared(ctx, query)
	if err != nil {
		return err
	}
	for _, k := range keys {
		rows, err := stmt.QueryContext(context.WithoutCancel(ctx), k.Account, k.Livemode, string(k.Kind), k.ID)
		if err != nil {
			return err
		}
		if err := scanRows(rows, scan); err != nil {
			return err
		}
	}
	return nil
}

// lock is the number of the key's advisory lock.
func (k ObjectKey) lock() int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "quotekit %s %t %s %s", k.Account, k.Livemode, k.Kind, k.ID) // a hash takes everything
	return int64(h.Sum64())
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
		rows[i] = []any{k.Account, k.Livemode, string(k.Kind), k.ID, states[k], tx.Now}
	}
	const prefix = `INSERT INTO stripe_objects (account, livemode, kind, object_id, state, updated_at)`
	const suffix = `ON CONFLICT (account, livemode, kind, object_id) DO UPDATE SET
  state = excluded.state, updated_at = excluded.updated_at`
	if err := tx.multiRow(ctx, prefix, suffix, 6, rows, nil); err != nil {
		return fmt.Errorf("save objects: %w", err)
	}
	return nil
}
