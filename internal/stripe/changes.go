package stripe

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// FieldChange is a field that differs between two states of an object. Before and
// After are masked like in [Mask], and null where the field was not there.
type FieldChange struct {
	Path          string
	Before, After json.RawMessage
}

// maxChanges bounds a comparison. What is beyond it is left out.
const maxChanges = 500

// Changes compares what an event says its object was before with what it shows now:
// previous_attributes, field by field. An event without them has no changes.
func Changes(payload []byte) []FieldChange {
	root, err := parse(string(payload))
	if err != nil {
		return nil
	}
	defer root.release()
	data := root.get("data")
	previous := data.get("previous_attributes")
	if !previous.isObject() {
		return nil
	}
	return compareTexts(string(appendMerged(nil, data.get("object"), previous, true)), data.get("object").raw())
}

// Differences compares the objects of two events, the earlier one first.
func Differences(before, after []byte) []FieldChange {
	return compareTexts(objectOf(before), objectOf(after))
}

// DifferencesTo compares the object of an event with a later state of it, as Stripe's
// API shows it.
func DifferencesTo(payload []byte, object json.RawMessage) []FieldChange {
	return compareTexts(objectOf(payload), string(object))
}

// ObjectOf is the object of an event as JSON text, nil if it has none.
func ObjectOf(payload []byte) json.RawMessage {
	if object := objectOf(payload); object != "" {
		return json.RawMessage(object)
	}
	return nil
}

// IsDeleted reports whether an object is what Stripe's API shows of a deleted one.
func IsDeleted(object json.RawMessage) bool {
	var o struct {
		Deleted bool `json:"deleted"`
	}
	return json.Unmarshal(object, &o) == nil && o.Deleted
}

// objectOf is the object of an event as JSON text, empty if it has none.
func objectOf(payload []byte) string {
	root, err := parse(string(payload))
	if err != nil {
		return ""
	}
	defer root.release()
	if object := root.get("data").get("object"); object.isObject() {
		return object.raw()
	}
	return ""
}

func compareTexts(before, after string) []FieldChange {
	b, errBefore := parse(before)
	a, errAfter := parse(after)
	if errBefore != nil || errAfter != nil {
		return nil
	}
	defer b.release()
	defer a.release()
	c := comparison{}
	c.compare("", b, a, place{})
	return c.changes
}

// comparison collects what differs.
type comparison struct{ changes []FieldChange }

// compare recurses no deeper than the parser let it: [MaxDepth].
func (c *comparison) compare(path string, before, after value, p place) {
	switch {
	case len(c.changes) >= maxChanges:
	case before.isObject() && after.isObject():
		for _, name := range memberNames(before, after) {
			at := shownKey(name)
			if path != "" {
				at = path + "." + at
			}
			c.compare(at, before.get(name), after.get(name), p.within(name))
		}
	case before.isArray() && after.isArray():
		olds, news := elements(before), elements(after)
		for i := range max(len(olds), len(news)) {
			var b, a value
			if i < len(olds) {
				b = olds[i]
			}
			if i < len(news) {
				a = news[i]
			}
			c.compare(path+"["+strconv.Itoa(i)+"]", b, a, p)
		}
	case !bytes.Equal(appendCanonical(nil, before), appendCanonical(nil, after)):
		var m masker
		c.changes = append(c.changes, FieldChange{path, m.append(nil, before, "\n", p), m.append(nil, after, "\n", p)})
	}
}

// memberNames are those of both objects: in the order of the second, and then those
// that only the first has.
func memberNames(before, after value) []string {
	var names []string
	seen := map[string]bool{}
	for _, v := range []value{after, before} {
		for m := range v.all() {
			if name := m.name(); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func elements(array value) []value {
	var list []value
	for e := range array.all() {
		list = append(list, e)
	}
	return list
}
