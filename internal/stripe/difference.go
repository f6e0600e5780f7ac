package stripe

import "encoding/json"

// Difference is one field that an event says has changed. Before and After are
// canonical JSON, cleaned of what jsonb refuses.
type Difference struct {
	Field         string
	Before, After json.RawMessage
}

// differences lists the members of previous_attributes beside what the object
// now has in their place, sorted by field. An expanded object is its id; of a hash, After has only the keys
// that Before has; what is missing is null.
func differences(now, previous value) []Difference {
	members := sortedMembers(previous)
	list := make([]Difference, len(members))
	for i, m := range members {
		list[i] = Difference{
			Field:  m.key,
			Before: appendCanonical(nil, unexpanded(m.value)),
			After:  appendReduced(nil, unexpanded(now.get(m.key)), unexpanded(m.value)),
		}
	}
	return list
}

// unexpanded returns the id of an object that stands where others have its id:
// which of them Stripe shows depends on the endpoint, and is no change.
func unexpanded(v value) value {
	if id := v.get("id"); id.isString() && v.get("object").isString() {
		return id
	}
	return v
}

// appendReduced appends v in canonical JSON, of a hash only the keys that like has.
func appendReduced(dst []byte, v, like value) []byte {
	if !v.isObject() || !like.isObject() {
		return appendCanonical(dst, v)
	}
	dst = append(dst, '{')
	for i, m := range sortedMembers(like) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.key), ':')
		dst = appendReduced(dst, v.get(m.key), m.value)
	}
	return append(dst, '}')
}
