package operations

import (
	"net/mail"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

// The greatest lengths of texts, in characters.
const (
	maxName        = 500
	maxUnit        = 50
	maxCategory    = 200
	maxTag         = 100
	maxEmail       = 320
	maxPhone       = 50
	maxAddress     = 1000
	maxNotes       = 10000
	maxNumber      = 100
	maxDescription = 1000
	maxReference   = 100
	// maxChoice is for texts of which only a few are right.
	maxChoice = 50
)

const (
	amountRule = `must be a decimal like "12.50" from 0.00 to 99999999.99, with at most two digits behind the point`
	rateRule   = `must be a percentage like "19" from 0 to 999.9999, with at most four digits behind the point`
)

// text reads a text and trims it; ok is false where nothing is left of it, or
// there is none, or it is wrong.
func (o object) text(name string, most int) (s string, ok bool) {
	value, ok := o.take(name)
	if !ok {
		return "", false
	}
	return o.problems.text(value, join(o.path, name), most)
}

// required reads a text that must not be missing or blank.
func (o object) required(name string, most int) string {
	s, _ := o.requiredText(name, most, "is required")
	return s
}

// requiredText is [object.required] with a message of its own.
func (o object) requiredText(name string, most int, message string) (s string, ok bool) {
	before := o.problems.count()
	s, ok = o.text(name, most)
	if !ok && o.problems.count() == before {
		o.wrong(name, "%s", message)
	}
	return s, ok
}

// text is [object.text] for a value at a path.
func (p *problems) text(value jsontext.Value, path string, most int) (s string, ok bool) {
	if value.Kind() != '"' {
		p.add(path, "must be a string, not "+kindName(value.Kind()))
		return "", false
	}
	if err := json.Unmarshal(value, &s); err != nil {
		p.addSyntax(path, err)
		return "", false
	}
	if strings.ContainsFunc(s, isForbidden) {
		p.add(path, "has a control character other than tab and line break")
		return "", false
	}
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > most {
		p.add(path, "must have at most "+plural(most, "character"))
		return "", false
	}
	return s, s != ""
}

// isForbidden reports whether no text may hold r: U+0000, which Postgres
// refuses, and the other control characters but tab, CR and LF.
func isForbidden(r rune) bool {
	return unicode.IsControl(r) && r != '\t' && r != '\r' && r != '\n'
}

// email reads what looks like one address, without a name or a comment.
func (o object) email(name string) (s string, ok bool) {
	if s, ok = o.text(name, maxEmail); !ok {
		return "", false
	}
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s {
		o.wrong(name, "must be one email address")
		return "", false
	}
	return s, true
}

// id reads a UUID in its usual form, in either case.
func (o object) id(name string) (s string, ok bool) {
	const length = 36 // others that the parser takes are braced, or bare
	if s, ok = o.text(name, maxReference); !ok {
		return "", false
	}
	id, err := uuid.Parse(s)
	if err != nil || len(s) != length {
		o.wrong(name, "must be a UUID")
		return "", false
	}
	return id.String(), true
}

// decimalText reads a string that is to hold a number, if there is one. A JSON number is told
// apart from other kinds: it is what most senders get wrong.
func (o object) decimalText(name, example string) (s string, ok bool) {
	value, ok := o.take(name)
	switch {
	case !ok:
		return "", false
	case value.Kind() == '0':
		o.wrong(name, `must be a string like "%s", not a number: numbers lose digits on the way`, example)
		return "", false
	case value.Kind() != '"':
		o.wrong(name, `must be a string like "%s", not %s`, example, kindName(value.Kind()))
		return "", false
	}
	if err := json.Unmarshal(value, &s); err != nil {
		o.problems.addSyntax(join(o.path, name), err)
		return "", false
	}
	return s, true
}

// money reads an amount that a column holds.
func (o object) money(name string) (c quotekit.Cents, ok bool) {
	s, ok := o.decimalText(name, "12.50")
	if !ok {
		return 0, false
	}
	c, err := quotekit.ParseCents(s)
	if err != nil || c < 0 || c > quotekit.MaxCents {
		o.wrong(name, amountRule)
		return 0, false
	}
	return c, true
}

// requiredMoney reads an amount that must not be missing.
func (o object) requiredMoney(name string) (c quotekit.Cents, ok bool) {
	if !o.has(name) {
		o.wrong(name, "is required")
	}
	return o.money(name)
}

// rate reads a percentage that a column holds.
func (o object) rate(name string) (r quotekit.Rate, ok bool) {
	s, ok := o.decimalText(name, "19")
	if !ok {
		return 0, false
	}
	r, err := quotekit.ParseRate(s)
	if err != nil || r < 0 || r > quotekit.MaxRate {
		o.wrong(name, rateRule)
		return 0, false
	}
	return r, true
}

// instant is the form of RFC 3339, which [time.Parse] does not insist on: it
// takes one digit for the hour, and a comma for the point.
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)

// time reads a time as RFC 3339 has it, or, with dates, a day, which is its
// first instant in UTC. A year beyond 9999 cannot be written as RFC 3339.
func (o object) time(name string, dates bool) (t time.Time, ok bool) {
	const longest = 64
	s, ok := o.text(name, longest)
	if !ok {
		return t, false
	}
	layout := time.RFC3339
	if dates && len(s) == len(time.DateOnly) {
		layout = time.DateOnly
	}
	t, err := time.Parse(layout, s)
	t = t.UTC().Truncate(time.Microsecond)
	switch {
	case err == nil && t.Year() >= 1 && t.Year() <= 9999 && (layout == time.DateOnly || instant.MatchString(s)):
		return t, true
	case dates:
		o.wrong(name, "must be a time like 2026-01-31T12:00:00Z or a day like 2026-01-31")
	default:
		o.wrong(name, "must be a time like 2026-01-31T12:00:00Z")
	}
	return t, false
}

// array reads an array of at most so many elements; ok is false where there is
// none, or it is wrong.
func (o object) array(name string, most int, noun string) (elements []jsontext.Value, ok bool) {
	value, ok := o.take(name)
	if !ok {
		return nil, false
	}
	if value.Kind() != '[' {
		o.wrong(name, "must be an array, not %s", kindName(value.Kind()))
		return nil, false
	}
	if err := json.Unmarshal(value, &elements); err != nil {
		o.problems.addSyntax(join(o.path, name), err)
		return nil, false
	}
	if len(elements) > most {
		o.wrong(name, "must have at most %s", plural(most, noun))
		return nil, false
	}
	return elements, true
}
