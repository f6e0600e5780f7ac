package manual

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
)

// document is what is shown of an OpenAPI document.
type document struct {
	Info struct {
		Description string `json:"description"`
	} `json:"info"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas         map[string]schema         `json:"schemas"`
		Responses       map[string]response       `json:"responses"`
		SecuritySchemes map[string]securityScheme `json:"securitySchemes"`
	} `json:"components"`
}

type securityScheme struct {
	Description string `json:"description"`
}

type operation struct {
	Method, Path string                `json:"-"`
	ID           string                `json:"operationId"`
	Summary      string                `json:"summary"`
	Description  string                `json:"description"`
	Tags         []string              `json:"tags"`
	Parameters   []parameter           `json:"parameters"`
	Body         *body                 `json:"requestBody"`
	Responses    map[string]response   `json:"responses"`
	Security     []map[string][]string `json:"security"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
	Schema      schema `json:"schema"`
}

type body struct {
	Description string           `json:"description"`
	Required    bool             `json:"required"`
	Content     map[string]media `json:"content"`
}

type media struct {
	Schema schema `json:"schema"`
}

type response struct {
	Ref         string           `json:"$ref"`
	Description string           `json:"description"`
	Content     map[string]media `json:"content"`
}

type schema struct {
	Ref         string            `json:"$ref"`
	Type        any               `json:"type"` // a name, or several
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Properties  map[string]schema `json:"properties"`
	Required    []string          `json:"required"`
	Items       *schema           `json:"items"`
	AnyOf       []schema          `json:"anyOf"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
}

// Name is the name of the schema that is referred to, of an object, a list or one
// that may be null; empty if there is none.
func (s schema) Name() string {
	switch {
	case s.Ref != "":
		return s.Ref[strings.LastIndex(s.Ref, "/")+1:]
	case s.Items != nil:
		return s.Items.Name()
	case len(s.AnyOf) > 0:
		return s.AnyOf[0].Name()
	}
	return ""
}

// Words says what values the schema has.
func (s schema) Words() string {
	var words []string
	switch t := s.Type.(type) {
	case string:
		words = append(words, t)
	case []any:
		for _, one := range t {
			words = append(words, fmt.Sprint(one))
		}
	}
	text := strings.Join(words, " or ")
	switch {
	case s.Items != nil && s.Items.Name() == "":
		text = "list of " + s.Items.Words()
	case s.Items != nil:
		text = "list of"
	case len(s.AnyOf) > 0:
		text = "null or"
	}
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			if v != nil {
				values = append(values, fmt.Sprint(v))
			}
		}
		text += ": " + strings.Join(values, ", ")
	}
	if s.Minimum != nil {
		text += ", from " + number(*s.Minimum)
	}
	if s.Maximum != nil {
		text += " to " + number(*s.Maximum)
	}
	return text
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// field is a property of a schema, or an answer of an operation.
type field struct {
	Name     string
	Required bool
	Schema   schema
}

// Fields are the properties by name.
func (s schema) Fields() []field {
	var fields []field
	for _, name := range sorted(s.Properties) {
		fields = append(fields, field{name, slices.Contains(s.Required, name), s.Properties[name]})
	}
	return fields
}

// answer is a response of an operation.
type answer struct {
	Status, Description string
	Media               []string
	Schema              schema
}

// tag is operations that belong together.
type tag struct {
	Name       string
	Operations []shown
}

// shown is an operation as the page shows it.
type shown struct {
	operation
	Who        []string
	Answers    []answer
	BodySchema schema
	BodyType   string
}

// named is a schema of the page.
type named struct {
	Name   string
	Schema schema
}

// reference renders the description of the API.
func (m *manual) reference(encoded []byte) (template.HTML, error) {
	var d document
	if err := json.Unmarshal(encoded, &d); err != nil {
		return "", fmt.Errorf("read the OpenAPI document: %w", err)
	}
	var data struct {
		Description string
		Tags        []tag
		Schemas     []named
	}
	data.Description = d.Info.Description
	tags := map[string][]shown{}
	for _, path := range sorted(d.Paths) {
		for _, method := range sorted(d.Paths[path]) {
			o := d.Paths[path][method]
			o.Method, o.Path = strings.ToUpper(method), path
			name := strings.Join(o.Tags, ", ")
			tags[name] = append(tags[name], d.show(o))
		}
	}
	for _, name := range sorted(tags) {
		data.Tags = append(data.Tags, tag{name, tags[name]})
	}
	for _, name := range sorted(d.Components.Schemas) {
		data.Schemas = append(data.Schemas, named{name, d.Components.Schemas[name]})
	}
	var out bytes.Buffer
	if err := m.layout.ExecuteTemplate(&out, "reference.html", data); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil //nolint:gosec // html/template has made it
}

func (d document) show(o operation) shown {
	s := shown{operation: o}
	for _, choice := range o.Security {
		for _, name := range sorted(choice) {
			s.Who = append(s.Who, d.Components.SecuritySchemes[name].Description)
		}
	}
	if o.Body != nil {
		for _, name := range sorted(o.Body.Content) {
			s.BodyType, s.BodySchema = name, o.Body.Content[name].Schema
		}
	}
	for _, status := range sorted(o.Responses) {
		r := o.Responses[status]
		if r.Ref != "" {
			r = d.Components.Responses[r.Ref[strings.LastIndex(r.Ref, "/")+1:]]
		}
		a := answer{Status: status, Description: r.Description, Media: sorted(r.Content)}
		for _, name := range a.Media {
			if a.Schema.Name() == "" {
				a.Schema = r.Content[name].Schema
			}
		}
		s.Answers = append(s.Answers, a)
	}
	return s
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
