package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
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

// readCSV reads lines behind a header: ids, or objects from header to cell. Of an
// operation that is not known here, the header decides.
func readCSV(text []byte, kind quotekit.OperationKind) (r reading) {
	lines := csv.NewReader(bytes.NewReader(text))
	header, err := lines.Read()
	if errors.Is(err, io.EOF) {
		r.wrong(1, "there is no header")
		return r
	}
	if err != nil {
		r.wrongCSV(err)
		return r
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	column := idColumn(header)
	if kind == quotekit.OperationCreate || (kind == "" && column < 0) {
		r.readObjects(lines, header)
		return r
	}
	switch {
	case slices.ContainsFunc(header, func(name string) bool { return uuid.Validate(name) == nil }):
		r.wrong(1, "an id stands where the header should be: begin the file with the line id")
		return r
	case column < 0:
		r.wrong(1, "the header has no column id: it has %s", strings.Join(header, ", "))
		return r
	}
	r.eachLine(lines, func(line int, cells []string) { r.addText(line, strings.TrimSpace(cells[column])) })
	return r
}

// idColumn finds where the ids stand; -1 is nowhere.
func idColumn(header []string) int {
	for _, name := range idColumns {
		if i := slices.IndexFunc(header, func(h string) bool { return strings.EqualFold(h, name) }); i >= 0 {
			return i
		}
	}
	if len(header) == 1 {
		return 0
	}
	return -1
}

func (r *reading) wrongCSV(err error) {
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		r.wrong(broken.StartLine, "%s", broken.Err)
	} else {
		r.wrong(1, "%s", err)
	}
}

// eachLine reads the lines that say something: spreadsheets end files with commas.
func (r *reading) eachLine(lines *csv.Reader, each func(line int, cells []string)) {
	for {
		cells, err := lines.Read()
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, csv.ErrFieldCount):
			r.wrongCSV(err)
			continue
		case err != nil:
			r.wrongCSV(err)
			return
		}
		line, _ := lines.FieldPos(0)
		if strings.TrimSpace(strings.Join(cells, "")) != "" {
			each(line, cells)
		}
	}
}

func (r *reading) readObjects(lines *csv.Reader, header []string) {
	for i, name := range header {
		if name != "" && slices.Contains(header[:i], name) {
			r.wrong(1, "the header has the column %s twice", name)
			return
		}
	}
	r.eachLine(lines, func(line int, cells []string) {
		object := map[string]json.RawMessage{}
		for i, cell := range cells {
			switch {
			case strings.TrimSpace(cell) == "": // says nothing
			case header[i] == "":
				r.wrong(line, "%q stands in a column that has no name", cell)
			default:
				value, err := cellValue(header[i], cell)
				if err != nil {
					r.wrong(line, "%s: %s", header[i], err)
				}
				object[header[i]] = value
			}
		}
		if b, err := json.Marshal(object); err == nil { // else there was a mistake
			r.add(line, b)
		}
	})
}

// cellValue is a cell as JSON: a text, but for the two columns that hold lists.
func cellValue(column, cell string) (json.RawMessage, error) {
	list := strings.TrimSpace(cell)
	switch {
	case column != "tags" && column != "line_items":
		return quoted(cell), nil
	case column == "tags" && list[0] != '[':
		tags := []string{}
		for tag := range strings.SplitSeq(list, ";") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
		return json.Marshal(tags)
	case !json.Valid([]byte(list)):
		return nil, errors.New("not JSON")
	}
	return json.RawMessage(list), nil
}
