package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// sqliteReaders is how many connections read at once, beside the one that
// writes: enough for a dashboard, few enough for the page caches.
const sqliteReaders = 4

// ErrLocked means that another process has the SQLite file open. One file
// belongs to one process; others talk to it over HTTP.
type ErrLocked struct {
	// Path is the database file.
	Path string
}

// Error implements error.
func (e *ErrLocked) Error() string {
	return fmt.Sprintf("another process has the database %s open", e.Path)
}

func (s *Store) openSQLite(ctx context.Context, path string, readers int) error {
	path, err := sqlitePath(path)
	if err != nil {
		return err
	}
	s.dialect = SQLite
	if s.lock, err = lockFile(path); err != nil {
		return err
	}
	if err := mayWrite(path); err != nil {
		return errors.Join(err, s.lock.Close())
	}
	if readers <= 0 {
		readers = sqliteReaders
	}
	s.stmts = newStatements()
	s.writer, s.reader, err = openSQLitePools(ctx, path, readers)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), s.lock.Close())
	}
	if s.checkpoints, err = startCheckpointer(path); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", path, err), s.reader.Close(), s.writer.Close(), s.lock.Close())
	}
	return nil
}

func openSQLitePools(ctx context.Context, path string, readers int) (writer, reader *sql.DB, err error) {
	writer, err = sql.Open("sqlite", sqliteDSN(path, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		fmt.Sprintf("wal_autocheckpoint(%d)", walPages), "cache_size(-32768)"))
	if err != nil {
		return nil, nil, err
	}
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	// The first connection makes the file and its WAL, which those that only
	// read need to find.
	if err := writer.PingContext(ctx); err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader, err = sql.Open("sqlite", sqliteDSN(path, "query_only(1)"))
	if err != nil {
		return nil, nil, errors.Join(err, writer.Close())
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return writer, reader, nil
}

// sqliteTime is how the driver writes a time (_time_format=sqlite).
const sqliteTime = "2006-01-02 15:04:05.999999999-07:00"

// sqliteDSN makes an URI file name, so that ?, # and % in a path are only
// characters. Times are written and read as UTC text that sorts by time.
func sqliteDSN(path string, pragmas ...string) string {
	q := url.Values{
		"_txlock":      {"immediate"},
		"_time_format": {"sqlite"},
		"_timezone":    {"UTC"},
		"_pragma":      append([]string{"busy_timeout(5000)"}, pragmas...),
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

// sqlitePath makes path absolute and follows links, so that two names of one
// file have one lock.
func sqlitePath(path string) (string, error) {
	if path == "" || path == ":memory:" {
		return "", errors.New("sqlite: needs the path of a file")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// mayWrite finds out before SQLite does, whose messages do not name the file,
// that the database or its folder cannot be written. It needs the lock: to close
// a file takes the locks away that SQLite holds on it in the same process.
func mayWrite(path string) error {
	const writeOK = 2 // W_OK of access(2)
	folder := filepath.Dir(path)
	if err := syscall.Access(folder, writeOK); err != nil {
		return fmt.Errorf("the folder %s, where SQLite writes its journal, cannot be written: %w", folder, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the database cannot be written: %w", err)
	}
	return f.Close()
}

// lockFile takes the lock of the database at path and keeps it until the file
// is closed, also by the death of the process. The lock file stays: to remove
// it would let two processes lock two files of that name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock file: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = &ErrLocked{Path: path}
	} else {
		err = fmt.Errorf("lock %s.lock: %w", path, err)
	}
	return nil, errors.Join(err, f.Close())
}
