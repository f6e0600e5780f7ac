package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

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
