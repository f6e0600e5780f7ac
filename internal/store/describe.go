package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Describe says what the database complained of without its own message, which
// may quote values of a payload.
func Describe(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		parts := []string{"database error, SQLSTATE " + pg.Code}
		for _, p := range []struct{ what, name string }{
			{"table", pg.TableName}, {"column", pg.ColumnName}, {"constraint", pg.ConstraintName},
		} {
			if p.name != "" {
				parts = append(parts, p.what+" "+p.name)
			}
		}
		return strings.Join(parts, ", ")
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return fmt.Sprintf("database error, SQLite result code %d", lite.Code())
	}
	if class := Classify(err); class != Other {
		return "database error: " + class.String()
	}
	return err.Error()
}

// IsLockTimeout reports whether a statement waited too long for somebody else's
// lock.
func IsLockTimeout(err error) bool { return stateOf(err) == "55P03" }

// IsOutOfRange reports whether a number does not fit its column.
func IsOutOfRange(err error) bool { return stateOf(err) == "22003" }

// stateOf returns the SQLSTATE of an error of Postgres, or "".
func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
