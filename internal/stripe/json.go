package stripe

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
)

// CleanJSON returns payload as JSON text that Postgres' jsonb accepts: U+0000
// is removed, lone surrogates and bytes that are not UTF-8 become U+FFFD, and a
// number beyond the range of numeric becomes a string with the same digits.
// Everything else, the order of keys and white space included, stays as it is.
// A payload that is not JSON, or nested deeper than [MaxDepth], is returned as
// one JSON string, so that the result is valid whatever comes in.
func CleanJSON(payload []byte) string {
	text := string(payload)
	root, err := parse(text)
	if err != nil {
		return string(appendString(nil, cleanText(text)))
	}
	root.release()
	out := make([]byte, 0, len(payload)+16)
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == '"':
			out, i = appendCleanString(out, text, i)
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(text) && strings.IndexByte("0123456789+-.eE", text[end]) >= 0 {
				end++
			}
			out = appendNumber(out, text[i:end])
			i = end
		default:
			out = append(out, c)
			i++
		}
	}
	return string(out)
}

// appendCleanString copies the JSON string that begins at in[i], cleaned, and
// returns the position behind it.
func appendCleanString(out []byte, in string, i int) ([]byte, int) {
	out = append(out, '"')
	i++
	for in[i] != '"' {
		switch {
		case in[i] == '\\' && in[i+1] == 'u':
			unit := hexUnit(in[i+2:])
			switch {
			case unit == 0:
			case unit < 0xd800 || unit > 0xdfff:
				out = append(out, in[i:i+6]...)
			case unit < 0xdc00 && in[i+6] == '\\' && in[i+7] == 'u' && hexUnit(in[i+8:])&0xfc00 == 0xdc00:
				out = append(out, in[i:i+12]...)
				i += 6
			default:
				out = append(out, `\ufffd`...)
			}
			i += 6
		case in[i] == '\\':
			out = append(out, in[i], in[i+1])
			i += 2
		case in[i] < utf8.RuneSelf:
			out = append(out, in[i])
			i++
		default:
			r, size := utf8.DecodeRuneInString(in[i:])
			out = utf8.AppendRune(out, r)
			i += size
		}
	}
	return append(out, '"'), i + 1
}

// appendNumber appends a number, or a string where numeric would overflow
// (131072 digits before the point, 16383 behind it).
func appendNumber(dst []byte, raw string) []byte {
	if len(raw) < 16 && !strings.ContainsAny(raw, "eE") {
		return append(dst, raw...)
	}
	mantissa, exponent := raw, 0
	fits := true
	if i := strings.IndexAny(raw, "eE"); i >= 0 {
		e, err := strconv.Atoi(raw[i+1:])
		mantissa, exponent, fits = raw[:i], e, err == nil && e > -1<<20 && e < 1<<20
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if fits && len(whole)+exponent <= 131000 && len(fraction)-exponent <= 16000 {
		return append(dst, raw...)
	}
	return appendString(dst, raw)
}

// canonical returns v as canonical JSON: keys sorted, no white space, strings
// cleaned, the last of equal keys kept.
func canonical(v value) quotekit.JSON {
	return quotekit.JSON(appendCanonical(nil, v))
}

// appendCanonical recurses no deeper than the parser let it: [MaxDepth].
func appendCanonical(dst []byte, v value) []byte {
	switch v.kind() {
	case isString:
		return appendString(dst, cleanText(v.str()))
	case isNumber:
		return appendNumber(dst, v.raw())
	case isTrue:
		return append(dst, "true"...)
	case isFalse:
		return append(dst, "false"...)
	case isNull:
		return append(dst, "null"...)
	case isArray:
		dst = append(dst, '[')
		i := 0
		for e := range v.all() {
			if i++; i > 1 {
				dst = append(dst, ',')
			}
			dst = appendCanonical(dst, e)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, m := range sortedMembers(v) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.key), ':')
		dst = appendCanonical(dst, m.value)
	}
	return append(dst, '}')
}

type member struct {
	key   string
	value value
}

// sortedMembers lists the members of an object by cleaned key, the last of
// equal keys only.
func sortedMembers(v value) []member {
	all := make([]member, 0, 8)
	for m := range v.all() {
		all = append(all, member{cleanText(m.name()), m})
	}
	slices.SortStableFunc(all, func(a, b member) int { return strings.Compare(a.key, b.key) })
	unique := all[:0]
	for i, m := range all {
		if i+1 < len(all) && all[i+1].key == m.key {
			continue
		}
		unique = append(unique, m)
	}
	return unique
}
