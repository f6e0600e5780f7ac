package stripe

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// maxMessage bounds what [Redact] returns, in bytes.
	maxMessage = 1000
	// maxSearched bounds what it looks at: the time is the product of message and
	// payload.
	maxSearched = 8 << 10
	// minRedacted is the shortest value that is taken out, in characters. What is
	// shorter says little, and stands in every sentence.
	minRedacted = 5
	// telling is how many bytes of a longer value tell that it is quoted, so that
	// one that was cut off is found, too.
	telling = 16
)

// Redact returns a message about the given JSON texts without what they say:
// each of their strings of five characters or more is replaced by "…", and so
// is, wherever it comes from, what looks like an e-mail address or the number of
// a card. Ids of Stripe's objects and the names of types stay. The result is at
// most 1,000 bytes of clean text.
//
// It errs on the side of silence: a word of the message that is a value of the
// payload by chance is replaced as well.
func Redact(message string, texts ...[]byte) string {
	message = cleanText(message)
	r := redaction{message: message[:min(len(message), maxSearched)]}
	for _, text := range texts {
		root, err := parse(string(text))
		if err != nil {
			continue // nothing of it can be quoted as a value
		}
		for leaf := range root.leaves() {
			r.hide(leaf.raw())
			value := cleanText(leaf.str())
			r.hide(value)
			r.hide(strings.Trim(strconv.Quote(value), `"`))
		}
		root.release()
	}
	for _, pattern := range []*regexp.Regexp{email, cardNumber} {
		for _, at := range pattern.FindAllStringIndex(r.message, -1) {
			r.spans = append(r.spans, [2]int{at[0], at[1]})
		}
	}
	return r.text()
}

var (
	email      = regexp.MustCompile(`[^\s@"'<>()\[\]{},:;=/\\]+(?:@|%40)[^\s@"'<>()\[\]{},:;=/\\]+`)
	cardNumber = regexp.MustCompile(`(?:[0-9][ .-]?){12,18}[0-9]`)
	// objectName is an id of Stripe's, or of an event of our own. What Stripe calls
	// a client secret is an id with more behind it, and no match.
	objectName = regexp.MustCompile(`^(acct|ba|card|ch|cs_live|cs_test|cus|di|evt|fetched|ii|il|in|mandate|pi|pm|price|prod|promo|py|re|req|seti|setatt|si|src|sub|sub_sched|txr)_[A-Za-z0-9]+$`)
	typeName   = regexp.MustCompile(`^[a-z0-9_.]+$`)
)

// leaves yields the strings in v that a message must not hold.
func (v value) leaves() func(yield func(value) bool) {
	return func(yield func(value) bool) {
		private := int32(0) // before this node, names are the application's
		for i := range v.d.nodes {
			leaf := value{v.d, int32(i)}
			n := v.d.nodes[i]
			named := n.keyEnd > 0
			if n.kind == isObject && named && leaf.name() == "metadata" {
				private = max(private, n.next)
			}
			if n.kind != isString || int32(i) >= private && isPublic(leaf, named) || utf8.RuneCountInString(leaf.str()) < minRedacted {
				continue
			}
			if !yield(leaf) {
				return
			}
		}
	}
}

// isPublic reports whether a string outside of metadata is a name that Stripe gave.
func isPublic(leaf value, named bool) bool {
	s := leaf.str()
	if objectName.MatchString(s) {
		return true
	}
	if !named {
		return false
	}
	switch leaf.name() {
	case "id":
		return isName(s) && !strings.ContainsAny(s, " @")
	case "object", "type", "api_version":
		return typeName.MatchString(s)
	}
	return false
}

// redaction collects what to leave out of a message.
type redaction struct {
	message string
	spans   [][2]int
}

// hide marks every place where the value stands, or begins and is cut off.
func (r *redaction) hide(value string) {
	start := value[:min(len(value), telling)]
	for from := 0; start != ""; {
		i := strings.Index(r.message[from:], start)
		if i < 0 {
			return
		}
		at, n := from+i, len(start)
		for n < len(value) && at+n < len(r.message) && value[n] == r.message[at+n] {
			n++
		}
		r.spans = append(r.spans, [2]int{at, at + n})
		from = at + 1
	}
}

// text is the message with "…" for what was marked.
func (r *redaction) text() string {
	slices.SortFunc(r.spans, func(a, b [2]int) int { return a[0] - b[0] })
	var b strings.Builder
	end := 0
	for _, span := range r.spans {
		if span[1] <= end {
			continue
		}
		if span[0] >= end && (end == 0 || span[0] > end) {
			b.WriteString(r.message[end:span[0]])
			b.WriteString("…")
		}
		end = span[1]
	}
	b.WriteString(r.message[end:])
	text := strings.ToValidUTF8(b.String(), "")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage-len("…")], "") + "…"
	}
	return text
}
