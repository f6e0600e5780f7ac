package store

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/quotekit/quotekit"
)

// null makes NULL of the empty string.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// instant makes NULL of the zero time.
func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// seconds makes NULL of the time that Stripe did not give.
func seconds(s quotekit.Seconds) any {
	if s == 0 {
		return nil
	}
	return s.Time()
}

// clip bounds a text that an index holds: Postgres refuses index entries above
// 2,704 bytes. Stripe's ids have at most 255 characters (stripe-facts 1).
func clip(s string) string {
	const limit = 255
	n := 0
	for i := range s {
		if n++; n > limit {
			return s[:i]
		}
	}
	return s
}

// list writes n placeholders from first on: "$3, $4".
func list(first, n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(marks, ", ")
}

// changedOne reports whether a conditional update of one row changed it.
func changedOne(result sql.Result, err error, what string) (bool, error) {
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return n == 1, nil
}

// wrap adds what was being done to an error, if there is one.
func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
