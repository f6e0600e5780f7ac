package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrationFiles embed.FS

// versionTable is where goose notes what it has applied.
const versionTable = "quotekit_schema_version"

// Migration is a step of the tables' definition.
type Migration struct {
	Version int64
	// Name is the file's name.
	Name string
	// AppliedAt is zero while the migration is pending.
	AppliedAt time.Time
}

// Migrate brings the tables up to date and then runs more, the migrations of
// others, under the same lock. Several processes may migrate at once: one does,
// the others wait and find nothing left to do.
//
// On Postgres it fails with an [ErrSchemaTaken], and has changed nothing, if a
// table that is not ours has one of our names. The tables of the user's
// document that may be there already keep all they have. Where the database has the
// roles of Supabase's API, they get their rights (rights.sql).
func (s *Store) Migrate(ctx context.Context, more ...func(context.Context) error) error {
	s.migrating.Lock()
	defer s.migrating.Unlock()
	up := s.migrateSQLite
	if s.Postgres() {
		up = s.migratePostgres
	}
	if err := up(ctx, more); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func (s *Store) migrateSQLite(ctx context.Context, more []func(context.Context) error) error {
	if err := s.applyMigrations(ctx, s.writer); err != nil {
		return err
	}
	return runAll(ctx, more)
}

// migratePostgres uses connections of its own: the pool may be small, and a
// timeout that suits statements does not suit migrations.
func (s *Store) migratePostgres(ctx context.Context, more []func(context.Context) error) error {
	c := s.pool.Config().ConnConfig
	c.RuntimeParams["statement_timeout"] = "0"
	c.RuntimeParams["lock_timeout"] = "0"
	db := stdlib.OpenDB(*c)
	defer func() { _ = db.Close() }()

	lock, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	// The lock is the session's, and ends with it however this function ends:
	// what is closed here goes back to db, which closes it.
	defer func() { _ = lock.Close() }()
	const acquire = `SELECT pg_advisory_lock(hashtextextended('quotekit migrate ' || $1, 0))`
	if _, err := lock.ExecContext(ctx, acquire, s.schema); err != nil {
		return fmt.Errorf("take the lock: %w", err)
	}
	if err := s.checkShape(ctx, lock); err != nil {
		return err
	}
	if err := s.createSchema(ctx, lock); err != nil {
		return err
	}
	if err := s.applyMigrations(ctx, db); err != nil {
		return err
	}
	if err := runAll(ctx, more); err != nil {
		return err
	}
	return s.applyRights(ctx, db)
}

// createSchema asks first: CREATE SCHEMA IF NOT EXISTS needs the right to
// create even where it creates nothing.
func (s *Store) createSchema(ctx context.Context, conn *sql.Conn) error {
	var exists bool
	const find = `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`
	if err := conn.QueryRowContext(ctx, find, s.schema).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := conn.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{s.schema}.Sanitize())
	return err
}

func (s *Store) applyMigrations(ctx context.Context, db *sql.DB) error {
	p, err := s.migrations(db)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

func (s *Store) migrations(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrationFiles, s.migrationFolder())
	if err != nil {
		return nil, err
	}
	d := goose.DialectSQLite3
	if s.Postgres() {
		d = goose.DialectPostgres
	}
	return goose.NewProvider(d, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
}

func (s *Store) migrationFolder() string { return path.Join("migrations", s.dialect.String()) }

// MigrationStatus lists all migrations in their order. It changes nothing.
func (s *Store) MigrationStatus(ctx context.Context) ([]Migration, error) {
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	defer func() { _ = conn.Close() }()
	applied, err := s.appliedMigrations(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	p, err := s.migrations(s.reader)
	if err != nil {
		return nil, fmt.Errorf("migration status: %w", err)
	}
	var all []Migration
	for _, source := range p.ListSources() {
		all = append(all, Migration{
			Version:   source.Version,
			Name:      path.Base(source.Path),
			AppliedAt: applied[source.Version],
		})
	}
	return all, nil
}

// appliedMigrations returns when each version was applied. goose has questions
// for that too, but they create its table.
func (s *Store) appliedMigrations(ctx context.Context, conn *sql.Conn) (map[int64]time.Time, error) {
	exists := `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`
	args := []any{versionTable}
	if s.Postgres() {
		exists = `SELECT COUNT(*) FROM pg_tables WHERE tablename = $1 AND schemaname = $2`
		args = append(args, s.schema)
	}
	var n int
	if err := conn.QueryRowContext(ctx, exists, args...).Scan(&n); err != nil || n == 0 {
		return nil, err
	}
	const list = `SELECT version_id, tstamp FROM ` + versionTable + ` WHERE is_applied ORDER BY id`
	rows, err := conn.QueryContext(ctx, list)
	if err != nil {
		return nil, err
	}
	applied := map[int64]time.Time{}
	err = scanRows(rows, func(rows row) error {
		var version int64
		var at time.Time
		if err := rows.Scan(&version, &at); err != nil {
			return err
		}
		applied[version] = at.UTC()
		return nil
	})
	return applied, err
}

func runAll(ctx context.Context, steps []func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}
