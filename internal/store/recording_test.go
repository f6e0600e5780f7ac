package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// Recorded is a query as the driver got it.
type Recorded struct {
	Text string
	Args []any
}

// Recorder keeps the queries that a store asks outside of transactions.
type Recorder struct {
	mu      sync.Mutex
	queries []Recorded
	conn    driver.Conn // of the store's own pool
}

// Record lets all reads of s go over one connection of its pool, which notes them,
// until stop is called.
func Record(ctx context.Context, s *Store) (r *Recorder, stop func() error, err error) {
	own := s.reader
	held, err := own.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	r = new(Recorder)
	if err := held.Raw(func(conn any) error {
		r.conn = conn.(driver.Conn)
		return nil
	}); err != nil {
		return nil, nil, err
	}
	s.reader = sql.OpenDB(r)
	s.reader.SetMaxOpenConns(1)
	return r, func() error {
		err := s.reader.Close()
		s.reader = own
		return errors.Join(err, held.Close())
	}, nil
}

// Take returns the queries that have come since the last call.
func (r *Recorder) Take() []Recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	queries := r.queries
	r.queries = nil
	return queries
}

// Connect implements driver.Connector.
func (r *Recorder) Connect(context.Context) (driver.Conn, error) { return recording{r.conn, r}, nil }

// Driver implements driver.Connector.
func (r *Recorder) Driver() driver.Driver { return nil }

// recording is the connection.
type recording struct {
	driver.Conn
	r *Recorder
}

// Close leaves the connection to the pool it is of.
func (c recording) Close() error { return nil }

// CheckNamedValue lets the driver convert arguments as it does by itself.
func (c recording) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// QueryContext implements driver.QueryerContext.
func (c recording) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	q := Recorded{Text: text}
	for _, a := range args {
		q.Args = append(q.Args, a.Value)
	}
	c.r.mu.Lock()
	c.r.queries = append(c.r.queries, q)
	c.r.mu.Unlock()
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}
