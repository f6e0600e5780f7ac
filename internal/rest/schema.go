package rest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/quotekit/quotekit"
)

// registry makes the schemas of the document of Go types. Struct types have a
// name there, so they must have one in Go. The text of a field is its tag doc;
// tags like format, enum, example, minimum and maxLength refine it.
//
// It is our own since huma's has no place for types whose JSON is not their Go
// kind, knows no nullable objects, and takes every list for nullable.
type registry struct {
	schemas map[string]*huma.Schema
	types   map[string]reflect.Type
	// closing says that what is defined now is a body: it has no other fields.
	closing bool
}

func newRegistry() *registry {
	return &registry{schemas: map[string]*huma.Schema{}, types: map[string]reflect.Type{}}
}

const schemaPrefix = "#/components/schemas/"

// Schema implements [huma.Registry].
func (r *registry) Schema(t reflect.Type, allowRef bool, _ string) *huma.Schema {
	nullable := t.Kind() == reflect.Pointer
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := scalar(t)
	if s == nil && t.Kind() == reflect.Struct {
		return r.object(t, allowRef, nullable)
	}
	if s == nil {
		s = huma.SchemaFromType(r, t)
	}
	s.Nullable = nullable && s.Type != "" // without a type it is any value, null too
	return s
}

// scalar is the schema of a type whose JSON is not what its Go kind suggests.
func scalar(t reflect.Type) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	switch t {
	case reflect.TypeFor[quotekit.Cents]():
		s.Pattern, s.Examples = `^-?[0-9]+\.[0-9]{2}$`, []any{"12.50"}
	case reflect.TypeFor[quotekit.Rate]():
		s.Pattern, s.Examples = `^-?[0-9]+\.[0-9]{2,4}$`, []any{"19.00"}
	case reflect.TypeFor[time.Time](), reflect.TypeFor[quotekit.Timestamp]():
		s.Format = "date-time"
	case reflect.TypeFor[uuid.UUID]():
		s.Format = "uuid"
	default:
		values := enumOf(t)
		if values == nil {
			return nil
		}
		s.Enum = anys(values)
	}
	return s
}

func anys(values []string) []any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = v
	}
	return list
}

func (r *registry) object(t reflect.Type, allowRef, nullable bool) *huma.Schema {
	if t.Name() == "" {
		panic("rest: a struct in the API needs a name: " + t.String())
	}
	name := schemaName(t)
	switch known := r.types[name]; known {
	case t:
	case nil:
		r.types[name] = t // before its fields, which may be of the same type
		r.schemas[name] = r.define(t)
	default:
		panic("rest: two types have the name " + name + " in the API: " + known.String() + " and " + t.String())
	}
	if !allowRef {
		return r.schemas[name]
	}
	ref := &huma.Schema{Ref: schemaPrefix + name}
	if nullable {
		return &huma.Schema{AnyOf: []*huma.Schema{ref, {Type: "null"}}}
	}
	return ref
}

// schemaName is the name of a type without what is ours alone: a Page of
// EventRecords is an EventPage.
func schemaName(t reflect.Type) string {
	name := strings.ReplaceAll(huma.DefaultSchemaNamer(t, ""), "Record", "")
	if item, ok := strings.CutPrefix(name, "Page"); ok && strings.HasPrefix(t.Name(), "Page[") {
		return item + "Page"
	}
	return name
}

func (r *registry) define(t reflect.Type) *huma.Schema {
	s := huma.SchemaFromType(r, t)
	for _, field := range s.Properties {
		if field.Nullable && field.Enum != nil {
			field.Enum = append(slices.Clone(field.Enum), nil)
		}
	}
	if s.AdditionalProperties == false && !r.closing {
		s.AdditionalProperties = nil // an answer may get more fields
	}
	return s
}

// ofParam is the schema of a parameter.
func (r *registry) ofParam(p Param) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	if p.Type != nil {
		s = r.Schema(reflect.TypeOf(p.Type), false, "")
	}
	if p.Enum != nil {
		s.Enum = anys(p.Enum)
	}
	if s.Type == huma.TypeInteger {
		least := float64(p.Min)
		s.Minimum = &least
		if p.Max > 0 {
			most := float64(p.Max)
			s.Maximum = &most
		}
	}
	return s
}

// ofBody is the schema of the body of a request, which has no fields but those
// of its type. A type that is an answer as well stays open.
func (r *registry) ofBody(t reflect.Type) *huma.Schema {
	r.closing = true
	defer func() { r.closing = false }()
	return r.Schema(t, true, "")
}

// SchemaFromRef implements [huma.Registry].
func (r *registry) SchemaFromRef(ref string) *huma.Schema {
	if s := r.schemas[ref[len(schemaPrefix):]]; s != nil {
		return s
	}
	return &huma.Schema{} // of a type that is being defined
}

// TypeFromRef implements [huma.Registry].
func (r *registry) TypeFromRef(ref string) reflect.Type { return r.types[ref[len(schemaPrefix):]] }

// Map implements [huma.Registry].
func (r *registry) Map() map[string]*huma.Schema { return r.schemas }

// MarshalJSON writes the schemas by name.
func (r *registry) MarshalJSON() ([]byte, error) { return json.Marshal(r.schemas) }

// RegisterTypeAlias implements [huma.Registry]; nobody needs it here.
func (r *registry) RegisterTypeAlias(_, _ reflect.Type) {}
