package sample

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed templates/*.json
var templateFiles embed.FS

// A place is a whole JSON string that begins with a dollar sign; its value
// takes the place of the string with its quotes, so the files stay JSON.
const placePattern = `"\$([a-z_0-9]+)"`

// values are the places of a template with the JSON that goes there.
type values map[string]string

// template is a file cut at its places: text[0], value of places[0], text[1], …
type template struct {
	name   string
	text   []string
	places []string
}

// loadTemplates cuts every file. The files are part of the program, so a
// fault in one is a bug and panics.
func loadTemplates() map[string]*template {
	place := regexp.MustCompile(placePattern)
	names, err := fs.Glob(templateFiles, "templates/*.json")
	if err != nil {
		panic(err)
	}
	templates := make(map[string]*template, len(names))
	for _, file := range names {
		raw, err := templateFiles.ReadFile(file)
		if err != nil {
			panic(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil {
			panic(fmt.Sprintf("%s: %v", file, err))
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "templates/"), ".json")
		t := &template{name: name}
		s, from := compact.String(), 0
		for _, at := range place.FindAllStringSubmatchIndex(s, -1) {
			t.text = append(t.text, s[from:at[0]])
			t.places = append(t.places, s[at[2]:at[3]])
			from = at[1]
		}
		t.text = append(t.text, s[from:])
		templates[name] = t
	}
	return templates
}

// render fills the places. A place without a value is a bug and panics.
func (t *template) render(v values) []byte {
	size := 0
	for _, s := range t.text {
		size += len(s)
	}
	out := make([]byte, 0, size+32*len(t.places))
	for i, place := range t.places {
		value, ok := v[place]
		if !ok {
			panic("template " + t.name + ": no value for " + place)
		}
		out = append(out, t.text[i]...)
		out = append(out, value...)
	}
	return append(out, t.text[len(t.places)]...)
}

const null = "null"

// text is s as JSON.
func text(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always encodes
	}
	return string(b)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
