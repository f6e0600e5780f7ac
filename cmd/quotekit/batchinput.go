package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v3"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/rest"
)

// maxInput bounds the text that items are read from, in bytes. What is sent of it
// has a bound of its own.
const maxInput = 64 << 20

// input is what a bulk operation is to work on, and where each item stands.
type input struct {
	// name is that of the source: a file, standard input, or a flag.
	name  string
	items []json.RawMessage
	lines []int // of each item, from 1; nil if the source has no lines
}

// where translates the place of an error in a request: an item is named with its
// line.
func (in input) where(location string) string {
	location = strings.TrimPrefix(location, "body.")
	var i int
	if _, err := fmt.Sscanf(location, "items[%d]", &i); err == nil && i >= 0 && i < len(in.lines) {
		return fmt.Sprintf("%s (%s line %d)", location, in.name, in.lines[i])
	}
	return location
}

// itemFlags say where items come from.
func itemFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "ids", Usage: "`IDS` of rows, separated by commas; may be given several times"},
		&cli.StringFlag{Name: "csv", Usage: "`FILE` with a header; ids stand in the column id (or item_id)"},
		&cli.StringFlag{Name: "jsonl", Usage: "`FILE` with JSON values, one a line: ids, or objects"},
	}
}

// readItems reads the items from the one source that is given. What is wrong with
// an item is for the service to say, unless it cannot be sent.
func (p *program) readItems(c *cli.Command, kind quotekit.OperationKind) (input, error) {
	help := c.FullName() + " --help"
	args := c.Args().Slice()
	sources := len(args)
	for _, flag := range []string{"ids", "csv", "jsonl"} {
		if c.IsSet(flag) {
			sources++
		}
	}
	switch {
	case len(args) > 0 && args[0] != "-":
		return input{}, usagef(help, "the only argument is - for standard input, got %q", args[0])
	case sources == 0:
		return input{}, usagef(help, "submit needs items: --ids, --csv, --jsonl, or - for standard input")
	case sources > 1:
		return input{}, usagef(help, "items come from one of --ids, --csv, --jsonl and -")
	case c.IsSet("ids"):
		return readIDs(c.StringSlice("ids")), nil
	case c.IsSet("csv"):
		return p.readSource(c.String("csv"), func(text []byte) reading { return readCSV(text, kind) })
	case c.IsSet("jsonl"):
		return p.readSource(c.String("jsonl"), func(text []byte) reading { return readJSON(text, kind) })
	}
	return p.readSource("-", func(text []byte) reading {
		if first := bytes.TrimSpace(text); len(first) > 0 && strings.IndexByte(`{["`, first[0]) >= 0 {
			return readJSON(text, kind)
		}
		return readLines(text)
	})
}

// readSource reads a file or standard input.
func (p *program) readSource(name string, read func([]byte) reading) (input, error) {
	in := input{name: name}
	source := p.stdin
	if name == "-" {
		in.name = "standard input"
	} else {
		f, err := os.Open(name)
		if err != nil {
			return in, failf(exitUsage, "", "%w", err)
		}
		defer func() { _ = f.Close() }()
		source = f
	}
	text, err := io.ReadAll(io.LimitReader(source, maxInput+1))
	switch {
	case err != nil:
		return in, failf(exitUsage, "", "read %s: %w", in.name, err)
	case len(text) > maxInput:
		return in, usagef("several smaller files", "%s is longer than %d MiB", in.name, maxInput>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if at := invalidUTF8(text); at >= 0 {
		line := 1 + bytes.Count(text[:at], []byte("\n"))
		return in, usagef("save it as UTF-8", "%s line %d is not UTF-8", in.name, line)
	}
	r := read(text)
	if len(r.mistakes) > 0 {
		f := &failure{code: exitUsage, err: fmt.Errorf("%s cannot be read", in.name)}
		for _, m := range r.mistakes {
			f.fields = append(f.fields, rest.FieldError{Location: fmt.Sprintf("%s line %d", in.name, m.line), Message: m.message})
		}
		return in, f
	}
	in.items, in.lines = r.items, r.lines
	return in, nil
}

func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// reading is what was read of a text.
type reading struct {
	items    []json.RawMessage
	lines    []int
	mistakes []mistake
}

// mistake is why a line cannot be an item.
type mistake struct {
	line    int
	message string
}

func (r *reading) add(line int, value json.RawMessage) {
	r.items, r.lines = append(r.items, value), append(r.lines, line)
}

func (r *reading) addText(line int, text string) { r.add(line, quoted(text)) }

func (r *reading) wrong(line int, format string, args ...any) {
	r.mistakes = append(r.mistakes, mistake{line, fmt.Sprintf(format, args...)})
}

// quoted is a text as JSON.
func quoted(text string) json.RawMessage {
	b, err := json.Marshal(text)
	if err != nil {
		panic("encode a text: " + err.Error()) // never happens
	}
	return b
}

// readIDs reads ids between commas.
func readIDs(flags []string) input {
	in := input{name: "--ids"}
	for _, flag := range flags {
		for id := range strings.SplitSeq(flag, ",") {
			if id = strings.TrimSpace(id); id != "" {
				in.items = append(in.items, quoted(id))
			}
		}
	}
	return in
}

// readLines reads an id a line.
func readLines(text []byte) (r reading) {
	line := 0
	for id := range strings.SplitSeq(string(text), "\n") {
		line++
		if id = strings.TrimSpace(id); id != "" {
			r.addText(line, id)
		}
	}
	return r
}

// readJSON reads JSON values, one a line or not. The elements of an array are
// items themselves. Of an object, an operation on ids takes the id.
func readJSON(text []byte, kind quotekit.OperationKind) (r reading) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	inArray := false
	at, line := 0, 1
	for {
		next := int(decoder.InputOffset())
		next += len(text[next:]) - len(bytes.TrimLeft(text[next:], " \t\r\n,"))
		line += bytes.Count(text[at:next], []byte("\n"))
		at = next
		var value json.RawMessage
		var err error
		switch {
		case inArray && !decoder.More(), !inArray && at < len(text) && text[at] == '[':
			if _, err = decoder.Token(); err == nil { // a bracket
				inArray = !inArray
				continue
			}
		default:
			err = decoder.Decode(&value)
		}
		switch {
		case errors.Is(err, io.EOF) && !inArray && at == len(text):
			return r
		case errors.Is(err, io.EOF):
			r.wrong(line, "not JSON: it ends early")
			return r
		case err != nil:
			r.wrong(line, "not JSON: %s", err)
			return r
		case !inArray && !isSpace(text, int(decoder.InputOffset())): // as in 00000000-0000-…
			r.wrong(line, "not JSON: no space behind a value")
			return r
		case kind == quotekit.OperationCreate:
			r.add(line, value)
		default:
			r.add(line, idOf(value))
		}
	}
}

func isSpace(text []byte, at int) bool {
	return at >= len(text) || strings.IndexByte(" \t\r\n", text[at]) >= 0
}

// idOf takes the id out of an object that has one.
func idOf(value json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	if value[0] != '{' || json.Unmarshal(value, &object) != nil {
		return value
	}
	for _, name := range idColumns {
		if id, ok := object[name]; ok {
			return id
		}
	}
	return value
}

// idColumns are the names under which ids stand: in rows, and in results.
var idColumns = []string{"id", "item_id"}
