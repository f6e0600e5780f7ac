package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// doubtFor is how long a write that the database refused speaks against it, if
	// no other write succeeds.
	doubtFor = 15 * time.Second
	// resetEvery is the least time between two renewals of all connections.
	resetEvery = time.Second
)

// writing remembers whether the database could be written. Nobody can know by
// asking whether there is room for what comes: the last refusal is the best
// evidence, until a transaction that wrote something is committed. Without
// traffic there are no transactions, so a refusal does not count for ever.
type writing struct {
	mu      sync.Mutex
	refused error // nil: not that we know
	at      time.Time
	reset   time.Time // when the connections were last renewed
}

// refuses reports whether an error says that the database takes nothing now: it
// is read-only, full, damaged, or another program keeps it locked.
func refuses(err error) bool {
	switch state := stateOf(err); {
	case state == "25006", state == "53100", len(state) == 5 && state[:2] == "58":
		return true
	}
	switch sqliteCode(err) {
	case sqliteBusy, sqliteReadOnly, sqliteIOErr, sqliteCorrupt, sqliteFull, sqliteCantOpen, sqliteNotADB:
		return true
	}
	return false
}

// noteRefusal remembers err if it says that the database cannot be written.
func (s *Store) noteRefusal(err error) {
	if !refuses(err) {
		return
	}
	s.doubt(err)
	if IsReadOnly(err) {
		s.renew()
	}
}

// doubt remembers err as what speaks against the database.
func (s *Store) doubt(err error) {
	s.writing.mu.Lock()
	defer s.writing.mu.Unlock()
	s.writing.refused, s.writing.at = err, s.now()
}

// noteWrite forgets what spoke against the database.
func (s *Store) noteWrite() {
	s.writing.mu.Lock()
	defer s.writing.mu.Unlock()
	s.writing.refused = nil
}

// doubted returns the refusal that still counts, or nil.
func (s *Store) doubted() error {
	s.writing.mu.Lock()
	defer s.writing.mu.Unlock()
	if s.writing.refused == nil || s.now().Sub(s.writing.at) > doubtFor {
		return nil
	}
	return s.writing.refused
}

// renew replaces the connections to Postgres one by one, as they come back. One
// that was opened while the server was read-only stays so for its life.
func (s *Store) renew() {
	if s.pool == nil {
		return
	}
	s.writing.mu.Lock()
	due := s.now().Sub(s.writing.reset) >= resetEvery
	if due {
		s.writing.reset = s.now()
	}
	s.writing.mu.Unlock()
	if due {
		s.pool.Reset()
	}
}

// IsReadOnly reports whether Postgres refused to write at all: it is set so, or
// we are connected to a standby.
func IsReadOnly(err error) bool { return stateOf(err) == "25006" }

// Check asks the database for an answer, and fails also if it can be read but, as
// far as we know, not written.
func (s *Store) Check(ctx context.Context) error {
	if s.Postgres() {
		var readOnly string
		const ask = `SELECT current_setting('transaction_read_only')`
		if err := s.reader.QueryRowContext(ctx, ask).Scan(&readOnly); err != nil {
			return fmt.Errorf("ask the database: %w", err)
		}
		if readOnly == "on" {
			s.renew()
			return errors.New("the database is read-only")
		}
	} else if err := s.Ping(ctx); err != nil {
		return err
	}
	if err := s.doubted(); err != nil {
		return fmt.Errorf("the database refused to write: %w", err)
	}
	return nil
}

// marker tells whether a transaction has written anything: on SQLite by what the
// connection has changed so far, on Postgres by whether it needed an id.
func (tx *Tx) marker(ctx context.Context) (n int64, err error) {
	ask := `SELECT total_changes()`
	if tx.dialect == Postgres {
		ask = `SELECT CASE WHEN pg_current_xact_id_if_assigned() IS NULL THEN 0 ELSE 1 END`
	}
	err = tx.QueryRowContext(ctx, ask).Scan(&n)
	return n, err
}
