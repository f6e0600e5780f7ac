package operations

import (
	stdjson "encoding/json"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/quotekit/quotekit"
)

const maxTags = 50

// createItem makes a row of {name, unit?, unit_price, category?, tags?}.
func createItem(text stdjson.RawMessage) (quotekit.Values, []quotekit.FieldError) {
	return create(text, func(o object) quotekit.Values {
		return quotekit.Values{
			"name":       o.required("name", maxName),
			"unit":       orNil(o.text("unit", maxUnit)),
			"unit_price": orNil(o.requiredMoney("unit_price")),
			"category":   orNil(o.text("category", maxCategory)),
			"tags":       o.tags("tags"),
		}
	})
}

// createClient makes a row of {name, email?, phone?, address?, notes?}.
func createClient(text stdjson.RawMessage) (quotekit.Values, []quotekit.FieldError) {
	return create(text, func(o object) quotekit.Values {
		return quotekit.Values{
			"name":    o.required("name", maxName),
			"email":   orNil(o.email("email")),
			"phone":   orNil(o.text("phone", maxPhone)),
			"address": orNil(o.text("address", maxAddress)),
			"notes":   orNil(o.text("notes", maxNotes)),
		}
	})
}

// create reads one object with read, and refuses what read does not take.
func create(text stdjson.RawMessage, read func(object) quotekit.Values) (quotekit.Values, []quotekit.FieldError) {
	p := new(problems)
	var values quotekit.Values
	if o, ok := readObject([]byte(text), "", p); ok {
		values = read(o)
		o.refuseOthers()
	}
	if p.count() > 0 {
		return nil, p.all()
	}
	return values, nil
}

// tags reads an array of texts; none is the empty array.
func (o object) tags(name string) stdjson.RawMessage {
	elements, _ := o.array(name, maxTags, "tag")
	tags := make([]string, 0, len(elements))
	for i, element := range elements {
		path := join(join(o.path, name), strconv.Itoa(i))
		before := o.problems.count()
		tag, ok := o.problems.text(element, path, maxTag)
		if !ok && o.problems.count() == before {
			o.problems.add(path, "must not be blank")
		}
		tags = append(tags, tag)
	}
	return encode(tags)
}

// encode writes what was read, as JSON.
func encode(v any) stdjson.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic("encode what was read: " + err.Error()) // a bug: all texts are Unicode
	}
	return text
}

// orNil is NULL for what is not there.
func orNil[T any](v T, ok bool) any {
	if !ok {
		return nil
	}
	return v
}

// plural writes "1 tag", "50 tags".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
