package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Report is what quotekit bench found.
type Report struct {
	Version   string    `json:"quotekit_version"`
	StartedAt time.Time `json:"started_at"`
	Machine   Machine   `json:"machine"`
	Database  Database  `json:"database"`
	// Runs is how often everything was measured; figures are medians.
	Runs int `json:"runs"`
	// Duration is that of a load whose length is a time.
	Duration float64  `json:"duration_seconds"`
	Results  []Result `json:"scenarios"`
	// Notes say what the figures do not: what is left out, and what they hang on.
	Notes []string `json:"notes"`
}

// Machine is where it was measured.
type Machine struct {
	CPUs int    `json:"cpus"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

// Database is what it was measured on.
type Database struct {
	Engine  string `json:"engine"`
	Version string `json:"version"`
	// Durability are the settings that decide what a commit survives, as the database
	// itself tells them.
	Durability map[string]string `json:"durability"`
}

// Result is what a scenario found.
type Result struct {
	Name string `json:"name"`
	Measured
	// Error is why there are no figures; nil if there are.
	Error *string `json:"error"`
}

// Measured are the figures of a scenario, and those of its parts if it has any.
type Measured struct {
	Figures Figures `json:"figures"`
	Parts   []Part  `json:"parts,omitempty"`
}

// Part is one of several things that a scenario measures at one go.
type Part struct {
	Name    string  `json:"name"`
	Figures Figures `json:"figures"`
}

// Figure is a number, and its name, which ends in its unit.
type Figure struct {
	Name  string
	Value float64
}

// Figures are the numbers of one thing. In JSON they are an object.
type Figures []Figure

// MarshalJSON implements [json.Marshaler]: an object in the order of the figures.
func (f Figures) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, figure := range f {
		if i > 0 {
			b.WriteByte(',')
		}
		value, err := json.Marshal(rounded(figure.Value))
		if err != nil {
			return nil, fmt.Errorf("figure %s: %w", figure.Name, err)
		}
		fmt.Fprintf(&b, "%q:%s", figure.Name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Get returns the figure of a name; ok is false if there is none.
func (f Figures) Get(name string) (value float64, ok bool) {
	for _, figure := range f {
		if figure.Name == name {
			return figure.Value, true
		}
	}
	return 0, false
}

// names are those of the figures, for telling tables apart.
func (f Figures) names() (names []string) {
	for _, figure := range f {
		names = append(names, figure.Name)
	}
	return names
}

// String shows the value for people: three digits at least, and no more than mean
// something.
func (f Figure) String() string {
	v := rounded(f.Value)
	if math.Abs(v) < 1000 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// rounded keeps three digits, and all of those before the point.
func rounded(v float64) float64 {
	if v == math.Trunc(v) || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits <= 0 {
		return math.Round(v)
	}
	scale := math.Pow10(digits)
	return math.Round(v*scale) / scale
}

// medians are those of several runs of one scenario, figure by figure. Figures that
// not all runs have are left out.
func medians(runs []Measured) Measured {
	var all []Figures
	for _, r := range runs {
		all = append(all, r.Figures)
	}
	m := Measured{Figures: medianFigures(all)}
	for i, part := range runs[0].Parts {
		var all []Figures
		for _, r := range runs {
			if i < len(r.Parts) && r.Parts[i].Name == part.Name {
				all = append(all, r.Parts[i].Figures)
			}
		}
		m.Parts = append(m.Parts, Part{Name: part.Name, Figures: medianFigures(all)})
	}
	return m
}

func medianFigures(runs []Figures) Figures {
	list := Figures{}
	for _, figure := range runs[0] {
		var values []float64
		for _, r := range runs {
			if v, ok := r.Get(figure.Name); ok {
				values = append(values, v)
			}
		}
		if len(values) == len(runs) {
			list = append(list, Figure{figure.Name, median(values)})
		}
	}
	return list
}

// Table is a part of a report for people: rows that have the same figures.
type Table struct {
	Header []string
	Rows   [][]string
}

// Tables are the figures of a report. What has the same figures, one after the other,
// is in one table. A scenario that failed has none.
func (r *Report) Tables() []Table {
	var tables []Table
	var last []string
	add := func(name string, f Figures) {
		if len(f) == 0 {
			return
		}
		if names := f.names(); len(tables) == 0 || !slices.Equal(names, last) {
			header := []string{"SCENARIO"}
			for _, n := range names {
				header = append(header, heading(n))
			}
			tables, last = append(tables, Table{Header: header}), names
		}
		row := []string{name}
		for _, figure := range f {
			row = append(row, figure.String())
		}
		t := &tables[len(tables)-1]
		t.Rows = append(t.Rows, row)
	}
	for _, result := range r.Results {
		add(result.Name, result.Figures)
		for _, part := range result.Parts {
			add("  "+part.Name, part.Figures)
		}
	}
	return tables
}

// heading is the name of a figure as the head of a column: EVENTS/S, P99 MS.
func heading(name string) string {
	return strings.ToUpper(strings.NewReplacer("_per_second", "/s", "_per_", "/", "_", " ").Replace(name))
}
