package store

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

// MaxPage is the most rows of one page.
const MaxPage = 200

// Page says which part of a list is wanted: newest first, after the cursor that
// the page before ended with.
type Page struct {
	Limit  int // 1 to [MaxPage]; zero is 50
	Cursor string
}

// position is where a page ended: keyset, so that a page costs the same
// however deep it lies and nothing is shown twice when rows are added.
type position struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

func (p Page) limit() (int, error) {
	switch {
	case p.Limit == 0:
		return 50, nil
	case p.Limit < 1 || p.Limit > MaxPage:
		return 0, quotekit.Errorf(quotekit.EInvalid, "limit is %d, want 1 to %d", p.Limit, MaxPage)
	}
	return p.Limit, nil
}

func (p Page) position() (*position, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	at := new(position)
	if err != nil || json.Unmarshal(b, at) != nil || strings.ContainsRune(at.ID, 0) {
		return nil, errCursor
	}
	return at, nil
}

var errCursor = quotekit.Errorf(quotekit.EInvalid, "the cursor is none of ours")

func (p position) cursor() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("encode cursor: " + err.Error()) // a time and a string
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// filter collects the conditions of a query with their arguments.
type filter struct {
	conditions []string
	args       []any
}

// add appends a condition; each %s in it stands for one argument.
func (f *filter) add(condition string, args ...any) {
	marks := make([]any, len(args))
	for i, a := range args {
		f.args = append(f.args, a)
		marks[i] = fmt.Sprintf("$%d", len(f.args))
	}
	f.conditions = append(f.conditions, fmt.Sprintf(condition, marks...))
}

// equal adds column = value unless the value is empty.
func (f *filter) equal(column, value string) {
	if value != "" {
		f.add(column+" = %s", value)
	}
}

// page adds the keyset condition, and returns the end of the query.
func (f *filter) page(p Page, at, id string) (end string, limit int, err error) {
	if limit, err = p.limit(); err != nil {
		return "", 0, err
	}
	after, err := p.position()
	if err != nil {
		return "", 0, err
	}
	// Columns of this name are UUIDs, which Postgres compares with no other text.
	if after != nil && (id == "id" || strings.HasSuffix(id, ".id")) && uuid.Validate(after.ID) != nil {
		return "", 0, errCursor
	}
	if after != nil {
		// The first condition says no more than the second; it is the one that planners
		// begin a range of an index at.
		f.add(at+" <= %s AND ("+at+" < %s OR "+id+" < %s)", after.At, after.At, after.ID)
	}
	where := f.where()
	return fmt.Sprintf("%s ORDER BY %s DESC, %s DESC LIMIT %s", where, at, id, f.mark(limit+1)), limit, nil
}

// where joins the conditions.
func (f *filter) where() string {
	if len(f.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(f.conditions, " AND ")
}

// mark adds an argument and returns its placeholder.
func (f *filter) mark(arg any) string {
	f.args = append(f.args, arg)
	return fmt.Sprintf("$%d", len(f.args))
}

// next cuts the row too many off and returns the cursor behind the last one.
func next[T any](rows []T, limit int, where func(T) position) ([]T, string) {
	if len(rows) <= limit {
		return rows, ""
	}
	return rows[:limit], where(rows[limit-1]).cursor()
}
