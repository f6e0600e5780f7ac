package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

// PlacePrefix is what the names of throwaway schemas and folders begin with.
const PlacePrefix = "quotekit_bench_"

// removeWithin bounds the end of a place, which has to come even after an interrupt.
const removeWithin = time.Minute

// LeftBehindError means that something throwaway could not be removed.
type LeftBehindError struct {
	What string
	Err  error
}

func (e *LeftBehindError) Error() string { return e.What + " is left behind: " + e.Err.Error() }

// Unwrap returns why.
func (e *LeftBehindError) Unwrap() error { return e.Err }

// place is a throwaway database, with a folder for what else is written.
type place struct {
	url string
	// schema is that of Postgres, and empty on SQLite.
	schema string
	folder string
	// services are those that were started here.
	services []*service
}

// inPlace does something in a new place, and removes it however that ends, with the
// services that still run there.
func inPlace(ctx context.Context, databaseURL string, do func(*place) error) error {
	p, err := newPlace(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = p.remove(ctx) }() // after a panic; else it is removed already
	err = do(p)
	for _, s := range p.services {
		err = s.explain(err)
	}
	return errors.Join(err, p.remove(ctx))
}

func newPlace(ctx context.Context, databaseURL string) (*place, error) {
	p := &place{}
	name := PlacePrefix + strings.ToLower(rand.Text()[:12])
	parent := os.TempDir()
	if path, ok := strings.CutPrefix(databaseURL, "sqlite:"); ok {
		parent = filepath.Dir(path)
	}
	folder, err := filepath.Abs(filepath.Join(parent, name))
	if err == nil {
		err = os.Mkdir(folder, 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("make a folder for the throwaway database: %w", err)
	}
	p.folder, p.url = folder, "sqlite:"+filepath.Join(folder, "bench.db")
	if isPostgres(databaseURL) {
		p.url, p.schema = databaseURL, name
		err = p.onSchema(ctx, answersWithin, `CREATE SCHEMA `)
	}
	if err == nil {
		err = os.WriteFile(p.emptyConfig(), nil, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a throwaway database: %w", err), p.remove(ctx))
	}
	return p, nil
}

// emptyConfig is a file of settings without any, so that the service reads no other.
func (p *place) emptyConfig() string { return filepath.Join(p.folder, "empty.env") }

// onSchema runs a statement that the name of the schema is added to.
func (p *place) onSchema(ctx context.Context, within time.Duration, statement string, after ...string) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	_, err = s.Writer().ExecContext(ctx, statement+p.schema+strings.Join(after, ""))
	if err != nil && store.MayPass(s.Dialect(), err) {
		err = fmt.Errorf("%s: %w", store.WhyAway(err), err)
	}
	return errors.Join(err, s.Close())
}

// open opens the database of the place. On SQLite nobody else may have it open.
func (p *place) open(ctx context.Context) (*store.Store, error) {
	return store.Open(ctx, store.Config{URL: p.url, Schema: p.schema, MaxConns: 2})
}

// prepare opens the database with its tables, does something with it, and closes it.
func (p *place) prepare(ctx context.Context, do func(*store.Store) error) error {
	s, err := p.open(ctx)
	if err != nil {
		return err
	}
	err = s.Migrate(ctx)
	if err == nil {
		err = do(s)
	}
	return errors.Join(err, s.Close())
}

// beside is a second database with the same tables, for what must not wait for the
// service: on Postgres the same one, on SQLite, where a file belongs to one process,
// another file beside it. Whoever calls it closes it.
func (p *place) beside(ctx context.Context) (*store.Store, error) {
	other := *p
	if p.schema == "" {
		other.url = "sqlite:" + filepath.Join(p.folder, "beside.db")
	}
	s, err := other.open(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// remove ends what runs in the place and removes it, also after ctx has ended. Again it
// does nothing.
func (p *place) remove(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	for _, s := range p.services {
		_ = s.stop() // its end was looked at, or something else has failed
	}
	p.services = nil
	var err error
	if p.schema != "" {
		if err = p.onSchema(ctx, removeWithin, `DROP SCHEMA IF EXISTS `, ` CASCADE`); err != nil {
			err = &LeftBehindError{"the schema " + p.schema, err}
		}
		p.schema = ""
	}
	if p.folder != "" {
		if e := os.RemoveAll(p.folder); e != nil {
			err = errors.Join(err, &LeftBehindError{"the folder " + p.folder, e})
		}
		p.folder = ""
	}
	return err
}
