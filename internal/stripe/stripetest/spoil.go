package stripetest

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The bounds of [Spoil]: a value that holds itself twice, several times over, would
// soon be larger than any event, and each replacement reads the whole event.
const (
	largest = 64 << 10
	most    = 8 // replacements
)

// Spoil returns a copy of an event with some of its values replaced by values that
// are other JSON than Stripe sends, and still JSON. Each three bytes of picks do one
// replacement: two say which value, counted as they are written and modulo their
// number, the third says by what. So a fuzzer gets behind the parser. Picks too few
// do nothing, and those after the eighth neither.
func Spoil(event, picks []byte) []byte {
	picks = picks[:min(len(picks), 3*most)]
	for ; len(picks) >= 3 && len(event) < largest; picks = picks[3:] {
		all := places(event)
		p := all[int(binary.BigEndian.Uint16(picks))%len(all)]
		spoils[int(picks[2])%len(spoils)](&p, event)
		event = bytes.Join([][]byte{event[:p.name], []byte(p.text), event[p.end:]}, nil)
	}
	return event
}

// place is where a value stands: text[start:end]. A member begins at its name
// already, another value at itself.
type place struct {
	name, start, end int
	// text replaces all of it.
	text string
}

// places lists the values of a text that is JSON, outer ones first.
func places(text []byte) []place {
	d := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var (
		all  []place
		open []int // indices of what has not ended
		name = -1
	)
	for {
		kind := d.PeekKind()
		outer, before := d.StackIndex(d.StackDepth())
		var err error
		size := 1
		switch kind {
		case '{', '[', '}', ']':
			_, err = d.ReadToken()
		default:
			var raw jsontext.Value
			raw, err = d.ReadValue()
			size = len(raw)
		}
		if err != nil {
			return all
		}
		end := int(d.InputOffset())
		p := place{name: end - size, start: end - size, end: end}
		switch {
		case kind == '}' || kind == ']':
			all[open[len(open)-1]].end = end
			open = open[:len(open)-1]
			continue
		case outer == '{' && before%2 == 0:
			name = p.start
			continue
		case name >= 0:
			p.name, name = name, -1
		}
		if kind == '{' || kind == '[' {
			open = append(open, len(all))
		}
		all = append(all, p)
	}
}

// spoils are the ways to spoil a value. Corpora of fuzz tests choose by number: a
// new one goes to the end.
var spoils = func() (all []func(*place, []byte)) {
	for _, value := range []string{
		`null`, `true`, `false`, `0`, `-1`, `1.5`, `1e3`, `-0`, `1E-400`, `1e400`, `1e131072`, `123456789012345678901234567890.12`,
		`2147483648`, `9007199254740993`, `9223372036854775807`, `9223372036854775808`, `-9223372036854775809`,
		`253402300799`, `253402300800`, `-62135596801`, `1775000000`,
		`""`, `" "`, `"x"`, `"0"`, `"1775000000"`, `"-12.50"`, `"1e5"`, `"9223372036854775808"`, `"2026-03-01T00:00:00Z"`,
		`"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\ude00\ud83d"`, `"\ud83d\ude00"`, `"\u202e\u0007"`, "\"\xff\xc3\"", `"\\u0000"`,
		`"%00"`, `"'; --"`, `"8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10"`, `"usd"`, `"canceled"`, `"paid"`,
		`"` + strings.Repeat("x", 255) + `"`, `"` + strings.Repeat("x", 256) + `"`, `"` + strings.Repeat("\u00e9", 5000) + `"`,
		`{}`, `[]`, `[null]`, `[{}]`, `[[],1]`, `{"":""}`, `{"id":null}`, `{"id":"x","object":"x","deleted":true}`, `{"data":[],"has_more":true}`,
		strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 600) + strings.Repeat("]", 600),
	} {
		all = append(all, around("", value, false))
	}
	for _, wrap := range [][2]string{{"[", "]"}, {`{"id":`, "}"}, {`{"data":[`, "]}"}, {`{"object":`, "}"}} {
		all = append(all, around(wrap[0], wrap[1], true))
	}
	return append(
		all,
		func(p *place, text []byte) { // twice
			was := string(text[p.start:p.end])
			p.text = string(text[p.name:p.start]) + "[" + was + "," + was + "]"
		},
		func(p *place, text []byte) { // as a string
			quoted, _ := jsontext.AppendQuote(nil, text[p.start:p.end]) // what is not UTF-8 is replaced
			p.text = string(text[p.name:p.start]) + string(quoted)
		},
		func(p *place, text []byte) { // another name
			p.text = string(text[p.start:p.end])
			if p.name < p.start {
				p.text = `"gone":` + p.text
			}
		},
		func(p *place, text []byte) { // before it the same name with null
			p.text = string(text[p.name:p.end])
			if p.name < p.start {
				p.text = string(text[p.name:p.start]) + "null," + p.text
			}
		},
		func(p *place, text []byte) { // after it the same name with null
			p.text = string(text[p.name:p.end])
			if p.name < p.start {
				p.text += "," + string(text[p.name:p.start]) + "null"
			}
		},
	)
}()

// around replaces a value by before and after, with the value between them if it is
// kept.
func around(before, after string, kept bool) func(*place, []byte) {
	return func(p *place, text []byte) {
		was := ""
		if kept {
			was = string(text[p.start:p.end])
		}
		p.text = string(text[p.name:p.start]) + before + was + after
	}
}
