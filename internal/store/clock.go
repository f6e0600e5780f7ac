package store

import (
	"context"
	"fmt"
	"time"
)

// ClockSkew is how far our clock is ahead of the database server's (negative:
// behind), at least; zero as far as the time for asking may explain it. SQLite has
// no clock of its own.
func (s *Store) ClockSkew(ctx context.Context) (time.Duration, error) {
	if !s.Postgres() {
		return 0, nil
	}
	before := s.now()
	var theirs time.Time
	if err := s.reader.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
		return 0, fmt.Errorf("ask the database for its time: %w", err)
	}
	after := s.now()
	switch {
	case theirs.Before(before):
		return before.Sub(theirs), nil
	case theirs.After(after):
		return after.Sub(theirs), nil
	}
	return 0, nil
}
