package stripe

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quotekit/quotekit"
	"github.com/tidwall/gjson"
)

// MaxDepth is how deep a body may be nested. Stripe's objects stay below 20;
// the bound keeps recursive readers, ours and Postgres', off their stack limit.
const MaxDepth = 512

// tooDeep reports whether text is nested deeper than [MaxDepth]. It needs no
// valid JSON and does not recurse.
func tooDeep(text []byte) bool {
	// Depth cannot exceed the number of openings, and counting is vectorised.
	if bytes.Count(text, []byte{'{'})+bytes.Count(text, []byte{'['}) <= MaxDepth {
		return false
	}
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// CleanJSON returns payload as JSON text that Postgres' jsonb accepts: U+0000
// is removed, lone surrogates and bytes that are not UTF-8 become U+FFFD, and a
// number beyond the range of numeric becomes a string with the same digits.
// Everything else, the order of keys and white space included, stays as it is.
// A payload that is not JSON, or nested deeper than [MaxDepth], is returned as
// one JSON string, so that the result is valid whatever comes in.
func CleanJSON(payload []byte) string {
	if tooDeep(payload) || !gjson.ValidBytes(payload) {
		return string(appendString(nil, cleanText(string(payload))))
	}
	out := make([]byte, 0, len(payload)+16)
	for i := 0; i < len(payload); {
		c := payload[i]
		switch {
		case c == '"':
			out, i = appendCleanString(out, payload, i)
		case c == '-' || c >= '0' && c <= '9':
			end := i + 1
			for end < len(payload) && strings.IndexByte("0123456789+-.eE", payload[end]) >= 0 {
				end++
			}
			out = appendNumber(out, string(payload[i:end]))
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
func appendCleanString(out, in []byte, i int) ([]byte, int) {
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
			r, size := utf8.DecodeRune(in[i:])
			out = utf8.AppendRune(out, r)
			i += size
		}
	}
	return append(out, '"'), i + 1
}

// hexUnit reads the four hexadecimal digits at the start of b, which valid JSON has there.
func hexUnit(b []byte) uint64 {
	unit, _ := strconv.ParseUint(string(b[:4]), 16, 32)
	return unit
}

// appendNumber appends a number, or a string where numeric would overflow
// (131072 digits before the point, 16383 behind it).
func appendNumber(dst []byte, raw string) []byte {
	if len(raw) < 16 && strings.IndexAny(raw, "eE") < 0 {
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
func canonical(v gjson.Result) quotekit.JSON {
	return quotekit.JSON(appendCanonical(make([]byte, 0, len(v.Raw)), v, 0))
}

func appendCanonical(dst []byte, v gjson.Result, depth int) []byte {
	switch {
	case v.Type == gjson.String:
		return appendString(dst, cleanText(v.Str))
	case v.Type == gjson.Number:
		return appendNumber(dst, v.Raw)
	case v.Type == gjson.True:
		return append(dst, "true"...)
	case v.Type == gjson.False:
		return append(dst, "false"...)
	case v.Type == gjson.Null, depth > MaxDepth:
		return append(dst, "null"...)
	case v.IsArray():
		dst = append(dst, '[')
		first := true
		v.ForEach(func(_, e gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendCanonical(dst, e, depth+1)
			return true
		})
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i, m := range sortedMembers(v) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m.key)
		dst = append(dst, ':')
		dst = appendCanonical(dst, m.value, depth+1)
	}
	return append(dst, '}')
}

type pair struct {
	key   string
	value gjson.Result
}

// sortedMembers lists the members of a JSON object by cleaned key, the last of
// equal keys only.
func sortedMembers(v gjson.Result) []pair {
	var all []pair
	v.ForEach(func(k, e gjson.Result) bool {
		all = append(all, pair{cleanText(k.Str), e})
		return true
	})
	slices.SortStableFunc(all, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	unique := all[:0]
	for i, m := range all {
		if i+1 < len(all) && all[i+1].key == m.key {
			continue
		}
		unique = append(unique, m)
	}
	return unique
}
