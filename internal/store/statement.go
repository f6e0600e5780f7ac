package store

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strconv"
	"sync"
)

// statements keeps the statements of the one SQLite connection that writes.
// To compile an upsert of thirty columns takes longer than to run it. A
// statement cannot be prepared for keeps while a transaction holds the
// connection, so one that is new is prepared for that transaction only, and
// for keeps before the next.
type statements struct {
	mu     sync.Mutex
	kept   map[string]*sql.Stmt
	wanted []string
}

func newStatements() *statements { return &statements{kept: map[string]*sql.Stmt{}} }

// prepareWanted prepares what earlier transactions had to prepare themselves.
// A failure is no loss: the next transaction prepares by itself and says why
// it cannot.
func (s *statements) prepareWanted(ctx context.Context, db *sql.DB) {
	s.mu.Lock()
	wanted := s.wanted
	s.wanted = nil
	s.mu.Unlock()
	for _, text := range wanted {
		s.mu.Lock()
		done := s.kept[text] != nil
		s.mu.Unlock()
		if done {
			continue
		}
		stmt, err := db.PrepareContext(ctx, unnamed(text))
		if err != nil {
			continue
		}
		s.keep(text, stmt)
	}
}

// keep keeps stmt, unless another goroutine was faster.
func (s *statements) keep(text string, stmt *sql.Stmt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept[text] != nil {
		_ = stmt.Close()
		return
	}
	s.kept[text] = stmt
}

// find returns the statement, or nil if it is not prepared yet.
func (s *statements) find(text string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	stmt := s.kept[text]
	if stmt == nil {
		s.wanted = append(s.wanted, text)
	}
	return stmt
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, stmt := range s.kept {
		errs = append(errs, stmt.Close())
	}
	s.kept = map[string]*sql.Stmt{}
	return errors.Join(errs...)
}

// prepared returns the statement for this transaction of SQLite. Its texts
// must be few, since they are kept as long as the store is open.
func (tx *Tx) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := tx.own[text]; stmt != nil {
		return stmt, nil
	}
	var stmt *sql.Stmt
	if kept := tx.stmts.find(text); kept != nil {
		stmt = tx.StmtContext(ctx, kept)
	} else {
		var err error
		if stmt, err = tx.PrepareContext(ctx, unnamed(text)); err != nil {
			return nil, err
		}
	}
	if tx.own == nil {
		tx.own = map[string]*sql.Stmt{}
	}
	tx.own[text] = stmt
	return stmt, nil
}

var placeholder = regexp.MustCompile(`\$\d+`)

// unnamed writes ? for the placeholders of a statement that has each once and in
// order: the driver looks up the name of every other one, for every row.
func unnamed(text string) string {
	n := 0
	inOrder := true
	short := placeholder.ReplaceAllStringFunc(text, func(mark string) string {
		n++
		inOrder = inOrder && mark == "$"+strconv.Itoa(n)
		return "?"
	})
	if !inOrder {
		return text
	}
	return short
}
