package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Version is what the database says it is, like "SQLite 3.54.1".
func (s *Store) Version(ctx context.Context) (string, error) {
	ask := `SELECT 'SQLite ' || sqlite_version()`
	if s.Postgres() {
		ask = `SELECT 'Postgres ' || current_setting('server_version')`
	}
	var version string
	err := s.reader.QueryRowContext(ctx, ask).Scan(&version)
	return version, wrap(err, "ask the database for its version")
}

// Careless lists the settings with which a committed transaction may be lost when
// the power fails, as name=value. SQLite's are our own, so there it has none.
func (s *Store) Careless(ctx context.Context) ([]string, error) {
	if !s.Postgres() {
		return nil, nil
	}
	const ask = `
SELECT name || '=' || setting
FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
ORDER BY name`
	careless, err := queryAll(ctx, s.reader, ask, nil, func(r row) (setting string, err error) {
		err = r.Scan(&setting)
		return setting, err
	})
	return careless, wrap(err, "ask the database for its settings")
}

// NewerMigrations are the versions of migrations that are applied and that this
// program does not know: a newer one has been here.
func (s *Store) NewerMigrations(ctx context.Context) ([]int64, error) {
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
	for _, source := range p.ListSources() {
		delete(applied, source.Version)
	}
	delete(applied, 0) // goose's own first row
	var newer []int64
	for version := range applied {
		newer = append(newer, version)
	}
	slices.Sort(newer)
	return newer, nil
}

// Exists reports whether there is a SQLite file at path.
func Exists(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// FreeSpace is how many bytes are left to us on the disk of a SQLite file, which
// need not exist yet.
func FreeSpace(path string) (uint64, error) {
	path, _, _ = strings.Cut(path, "?")
	folder := filepath.Dir(path)
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, fmt.Errorf("ask for the free space of %s: %w", folder, err)
	}
	return uint64(disk.Bavail) * uint64(disk.Bsize), nil
}
