package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// writeActs appends what operators did in the transaction to the hash chain. It
// comes last, so that whoever holds the end of the chain waits for nothing else.
func (tx *Tx) writeActs(ctx context.Context) error {
	if len(tx.acts) == 0 {
		return nil
	}
	acts := tx.acts
	tx.acts = nil
	const lock = `
UPDATE webhook_audit_chain
SET began_at = COALESCE(began_at, $1), updated_at = $1
WHERE id = 1
RETURNING sequence, hash`
	var (
		sequence int64
		hash     string
		found    bool
	)
	err := tx.returning(ctx, lock, func(r row) error {
		found = true
		return r.Scan(&sequence, &hash)
	}, tx.Now)
	if err == nil && !found {
		err = errors.New("its end is missing in webhook_audit_chain")
	}
	if err != nil {
		return fmt.Errorf("append to the chain of the audit trail: %w", err)
	}
	rows := make([][]any, len(acts))
	for i, line := range acts {
		previous := hash
		sequence++
		if hash, err = line.hash(sequence, previous); err != nil {
			return err
		}
		rows[i] = append(line.values(), sequence, previous, hash)
	}
	prefix := strings.TrimSuffix(insertAudit, ")") + ", chain_sequence, chain_previous, chain_hash)"
	if err := tx.multiRow(ctx, prefix, "", 13, rows, nil); err != nil {
		return fmt.Errorf("write audit trail: %w", err)
	}
	const move = `UPDATE webhook_audit_chain SET sequence = $1, hash = $2 WHERE id = 1`
	return wrap(tx.run(ctx, move, sequence, hash), "append to the chain of the audit trail")
}

// hash is that of a line at its place in the chain. It is over what the columns say,
// not over how an engine writes them.
func (l auditLine) hash(sequence int64, previous string) (string, error) {
	before, err := canonicalJSON(l.before)
	if err != nil {
		return "", fmt.Errorf("hash audit line %s: %w", l.id, err)
	}
	after, err := canonicalJSON(l.after)
	if err != nil {
		return "", fmt.Errorf("hash audit line %s: %w", l.id, err)
	}
	text, err := json.Marshal([]any{
		"quotekit audit 1", sequence, previous, l.id, l.at.UTC().Format(time.RFC3339Nano), l.actor, l.action, l.eventID,
		l.target, l.reason, before, after, l.requestID,
	})
	if err != nil {
		return "", fmt.Errorf("hash audit line %s: %w", l.id, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// canonicalJSON writes JSON text in one way only: JSONB keeps neither the order of
// keys nor how a number was written.
func canonicalJSON(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return "", err
	}
	b, err := json.Marshal(plainNumbers(v)) // sorts the keys
	return string(b), err
}

// plainNumbers writes every number in v as a fraction, in an object that no entry can
// have, since its key has a character that is refused everywhere.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			v[key] = plainNumbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = plainNumbers(value)
		}
	case json.Number:
		return map[string]any{"\x00number": fraction(v.String())}
	}
	return v
}

// fraction writes equal numbers alike. What is beyond every number that we write
// stays as it is.
func fraction(number string) string {
	if _, exponent, ok := strings.Cut(strings.ToLower(number), "e"); ok {
		if e, err := strconv.Atoi(exponent); err != nil || e < -400 || e > 400 {
			return number
		}
	}
	if n, ok := new(big.Rat).SetString(number); ok && len(number) < 1000 {
		return n.RatString()
	}
	return number
}

// ChainHead is the end of the hash chain.
type ChainHead struct {
	Sequence int64
	Hash     string
	BeganAt  time.Time // zero while there is no line
	// Cut is the line up to which retention has deleted the chain; zero while it has not.
	Cut ChainCut
}

// ChainHead reads the end of the hash chain.
func (s *Store) ChainHead(ctx context.Context) (h ChainHead, err error) {
	var began sql.NullTime
	err = s.reader.QueryRowContext(ctx, `SELECT sequence, hash, began_at, cut_sequence, cut_hash FROM webhook_audit_chain WHERE id = 1`).
		Scan(&h.Sequence, &h.Hash, &began, &h.Cut.Sequence, &h.Cut.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return h, quotekit.Errorf(quotekit.ENotFound, "the end of the chain is missing")
	}
	h.BeganAt = began.Time
	return h, wrap(err, "read the end of the chain of the audit trail")
}

// ChainLine is a line of the hash chain.
type ChainLine struct {
	ID       string
	At       time.Time
	Sequence int64
	Previous string
	Hash     string
	// Want is the hash that its columns and its place have.
	Want string
	// Cut is what a line says that tells of a cut of the chain; nil of any other.
	Cut *ChainCut
}

// ChainLines reads at most limit lines of the hash chain that come after a number.
func (s *Store) ChainLines(ctx context.Context, after int64, limit int) ([]ChainLine, error) {
	const query = `
SELECT id, at, actor, action, COALESCE(stripe_event_id, ''), COALESCE(target, ''), COALESCE(reason, ''),
  COALESCE(CAST(before AS TEXT), ''), COALESCE(CAST(after AS TEXT), ''), COALESCE(request_id, ''),
  chain_sequence, COALESCE(chain_previous, ''), COALESCE(chain_hash, '')
FROM webhook_audit_trail
WHERE chain_sequence > $1
ORDER BY chain_sequence
LIMIT $2`
	lines, err := queryAll(ctx, s.reader, query, []any{after, limit}, func(r row) (c ChainLine, err error) {
		var l auditLine
		err = r.Scan(&l.id, &l.at, &l.actor, &l.action, &l.eventID, &l.target, &l.reason, &l.before, &l.after, &l.requestID,
			&c.Sequence, &c.Previous, &c.Hash)
		if err != nil {
			return c, err
		}
		c.ID, c.At = l.id, l.at
		if want, err := l.hash(c.Sequence, c.Previous); err == nil { // what is no JSON has no hash
			c.Want = want
		}
		if l.action == AuditCut {
			c.Cut = new(ChainCut)
			if json.Unmarshal([]byte(l.after), c.Cut) != nil { // then it has no hash that fits, either
				c.Cut = nil
			}
		}
		return c, nil
	})
	return slices.Clip(lines), wrap(err, "read the chain of the audit trail")
}
