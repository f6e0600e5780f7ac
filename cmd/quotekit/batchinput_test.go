package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/quotekit/quotekit"
)

// mustRead reads a text as a file of this format would be.
func mustRead(t *testing.T, name, text string, read func([]byte) reading) (input, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return new(program).readSource(name, read)
}

// shown is what was read, one item a line with the number of its line.
func (in input) shown() string {
	var b strings.Builder
	for i, item := range in.items {
		fmt.Fprintf(&b, "%d %s\n", in.lines[i], item)
	}
	return strings.TrimSpace(b.String())
}

func TestReadCSV(t *testing.T) {
	const update, create = quotekit.OperationUpdate, quotekit.OperationCreate
	tests := []struct {
		name string
		kind quotekit.OperationKind
		text string
		want string // the items, or the error
	}{
		{"ids", update, "id,name\na,x\nb,y\n", "2 \"a\"\n3 \"b\""},
		{"id beside item_id", update, "item_id,ID\na,x\n", "2 \"x\""},
		{"item_id", update, "position,item_id\n0, a \n", "2 \"a\""},
		{"the only column", update, "quote\na\n", "2 \"a\""},
		{"byte order mark, CRLF", update, "\ufeffid\r\na\r\nb\r\n", "2 \"a\"\n3 \"b\""},
		{"duplicates stay", update, "id\na\na\n", "2 \"a\"\n3 \"a\""},
		{"quotes, commas and line breaks", update, "id,note\na,\"x, \"\"y\"\"\nz\"\nb,\n", "2 \"a\"\n4 \"b\""},
		{"empty lines", update, "id,note\n\na,x\n,\n ,\nb,y", "3 \"a\"\n6 \"b\""},
		{"an empty id is the service's to refuse", update, "id,note\n,x\n", "2 \"\""},
		{"nothing but a header", update, "id\n", ""},
		{"deletes and exports", quotekit.OperationExport, "id\na\n", "2 \"a\""},
		{"unknown, with ids", "", "id\na\n", "2 \"a\""},
		{"unknown, without", "", "name,unit\na,b\n", `2 {"name":"a","unit":"b"}`},
		{
			"objects", create, "name,unit_price,tags,unit\n\"Größe <1>\",12.50,a; b;,\nB,0012,\"[\"\"x;y\"\"]\",h\n",
			"2 {\"name\":\"Größe \\u003c1\\u003e\",\"tags\":[\"a\",\"b\"],\"unit_price\":\"12.50\"}\n" +
				`3 {"name":"B","tags":["x;y"],"unit":"h","unit_price":"0012"}`,
		},
		{"lines of a quote", create, "client_name,line_items\nA,\"[{\"\"name\"\":\"\"x\"\"}]\"\n", `2 {"client_name":"A","line_items":[{"name":"x"}]}`},
		{"a column without a name or content", create, "name,\nA,\n", `2 {"name":"A"}`},

		{"empty", update, "", "f.csv line 1: there is no header"},
		{"no header", update, "8b0d4a9c-6f0e-4d9a-9c35-0a3e4a9e1f10\n", "f.csv line 1: an id stands where the header should be: begin the file with the line id"},
		{"no ids", update, "name,unit\na,b\n", "f.csv line 1: the header has no column id: it has name, unit"},
		{"fields", update, "id,name\na\nb,c\nd,e,f\n", "f.csv line 2: wrong number of fields; f.csv line 4: wrong number of fields"},
		{"an open quote", update, "id\n\"a\nb\n", `f.csv line 2: extraneous or missing " in quoted-field`},
		{"a column twice", create, "name,unit,name\na,b,c\n", "f.csv line 1: the header has the column name twice"},
		{"a column without a name", create, "name,\nA,x\n", `f.csv line 2: "x" stands in a column that has no name`},
		{"no JSON", create, "name,tags,line_items\nA,[x,{\n", "f.csv line 2: tags: not JSON; f.csv line 2: line_items: not JSON"},
		{"another encoding", update, "id,name\na,x\nb,Gr\xf6\xdfe\n", "f.csv line 3 is not UTF-8"},
		{"a spreadsheet's Unicode", update, "\xff\xfei\x00d\x00", "f.csv line 1 is not UTF-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := mustRead(t, "f.csv", tt.text, func(b []byte) reading { return readCSV(b, tt.kind) })
			got := in.shown()
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "f.csv cannot be read; ")
			}
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReadJSON(t *testing.T) {
	const update, create = quotekit.OperationUpdate, quotekit.OperationCreate
	tests := []struct {
		name string
		kind quotekit.OperationKind
		text string
		want string
	}{
		{"ids", update, "\"a\"\n\n\"b\"\n", "1 \"a\"\n3 \"b\""},
		{"objects with an id", update, "{\"id\":\"a\",\"name\":\"x\"}\r\n{\"item_id\":\"b\"}", "1 \"a\"\n2 \"b\""},
		{"what is no id is the service's to refuse", update, "{\"name\":\"x\"}\n12\nnull\n{\"id\":3}", "1 {\"name\":\"x\"}\n2 12\n3 null\n4 3"},
		{"objects", create, "\ufeff{\"id\":\"a\",\"n\":1.50,\"n\":2}\n", `1 {"id":"a","n":1.50,"n":2}`},
		{"an array", update, "[\n  \"a\",\n  {\"id\": \"b\"}\n]\n", "2 \"a\"\n3 \"b\""},
		{"arrays", create, "[{},{}]\n[]\n[[1]]", "1 {}\n1 {}\n3 [1]"},
		{"over several lines", create, "{\n\"a\":1\n}\n{}", "1 {\n\"a\":1\n}\n4 {}"},
		{"nothing", create, " \n", ""},

		{"not JSON", create, "{}\n{]\n", "f.jsonl line 2: not JSON: invalid character ']' looking for beginning of object key string"},
		{"text", update, "\"a\"\nabc\n", "f.jsonl line 2: not JSON: invalid character 'a' looking for beginning of value"},
		{"ids without quotes", update, "00000000-0000-4000-8000-000000000000\n", "f.jsonl line 1: not JSON: no space behind a value"},
		{"cut off", create, "{}\n{\"a\":", "f.jsonl line 2: not JSON: unexpected EOF"},
		{"an open array", update, "[\"a\"", "f.jsonl line 1: not JSON: it ends early"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := mustRead(t, "f.jsonl", tt.text, func(b []byte) reading { return readJSON(b, tt.kind) })
			got := in.shown()
			if err != nil {
				got = strings.TrimPrefix(err.Error(), "f.jsonl cannot be read; ")
			}
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestReadJSON_LongLinesAndManyOfThem(t *testing.T) {
	long := `{"notes":"` + strings.Repeat("x", 5<<20) + `"}`
	in, err := mustRead(t, "f.jsonl", long+"\n{}\n", func(b []byte) reading { return readJSON(b, quotekit.OperationCreate) })
	if err != nil || len(in.items) != 2 || string(in.items[0]) != long || in.lines[1] != 2 {
		t.Errorf("%d items, %v", len(in.items), err)
	}
	const many = 200_000
	r := readJSON(bytes.Repeat([]byte("\"a\"\n"), many), quotekit.OperationUpdate)
	if len(r.items) != many || r.lines[many-1] != many {
		t.Errorf("%d items", len(r.items))
	}
}

func TestReadSource_Bounds(t *testing.T) {
	p := &program{stdin: bytes.NewReader(make([]byte, maxInput+1))}
	if _, err := p.readSource("-", readLines); err == nil || err.Error() != "standard input is longer than 64 MiB" {
		t.Error(err)
	}
	if _, err := p.readSource("none.csv", readLines); classify(err).code != exitUsage {
		t.Error(err)
	}
}

func TestReadIDs(t *testing.T) {
	in := readIDs([]string{"a, b,,", "c"})
	if b, _ := json.Marshal(in.items); string(b) != `["a","b","c"]` {
		t.Errorf("%s", b)
	}
}

func TestInput_NamesTheLineOfAnItem(t *testing.T) {
	in := input{name: "quotes.csv", lines: []int{2, 4}}
	for location, want := range map[string]string{
		"body.items[1]":       "items[1] (quotes.csv line 4)",
		"body.items[2]":       "items[2]",
		"body.items":          "items",
		"body.options.status": "options.status",
		"header.X":            "header.X",
	} {
		if got := in.where(location); got != want {
			t.Errorf("%s: got %q, want %q", location, got, want)
		}
	}
}

func TestSetValue(t *testing.T) {
	tests := map[string]string{
		"status=sent":              `"sent"`,
		"status=+5%":               `"+5%"`,
		"price_adjustment=+5%":     `{"type":"percentage","value":"5"}`,
		"price_adjustment=-2.5%":   `{"type":"percentage","value":"-2.5"}`,
		"price_adjustment=+1.50":   `{"type":"fixed","value":"1.50"}`,
		"price_adjustment=-0.10":   `{"type":"fixed","value":"-0.10"}`,
		"price_adjustment=5":       `"5"`,
		"price_adjustment=+5 euro": `"+5 euro"`,
	}
	for text, want := range tests {
		name, value, _ := strings.Cut(text, "=")
		if got := string(setValue(name, value)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
