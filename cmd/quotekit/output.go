package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/urfave/cli/v3"
)

// page is a list as the API gives it and as --json prints it.
type page[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// print shows data: as JSON with --json, else as the table that draw makes.
func (p *program) print(c *cli.Command, data any, draw func(*table)) error {
	if c.Bool("json") {
		return p.printJSON(data)
	}
	t := newTable(p.stdout)
	draw(t)
	return t.flush()
}

func (p *program) printJSON(data any) error {
	e := json.NewEncoder(p.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(data); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// table aligns columns.
type table struct {
	w   *tabwriter.Writer
	err error
}

func newTable(w io.Writer) *table {
	return &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
}

// row adds a line. What came from outside cannot move the cursor of a terminal.
func (t *table) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = printable(fmt.Sprint(cell))
	}
	if _, err := fmt.Fprintln(t.w, strings.Join(texts, "\t")); err != nil && t.err == nil {
		t.err = fmt.Errorf("print: %w", err)
	}
}

func (t *table) flush() error {
	if err := t.w.Flush(); err != nil && t.err == nil {
		t.err = fmt.Errorf("print: %w", err)
	}
	return t.err
}

// printable replaces control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// orDash shows what may be missing.
func orDash[T any](v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
