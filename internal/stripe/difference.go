package stripe

import (
	"encoding/json"
	"errors"

	"github.com/tidwall/gjson"
)

// Difference is one field that an event says has changed. Before and After are
// canonical JSON, cleaned of what jsonb refuses.
type Difference struct {
	Field         string
	Before, After json.RawMessage
}

// Differences lists the members of previous_attributes beside what object now
// has in their place, sorted by field. Of a hash, After has only the keys that
// Before has; what is missing is null.
func Differences(object, previous []byte) ([]Difference, error) {
	now, before := gjson.ParseBytes(object), gjson.ParseBytes(previous)
	if !now.IsObject() || !before.IsObject() {
		return nil, errors.New("data.object or data.previous_attributes is not an object")
	}
	current := newObject(now)
	members := sortedMembers(before)
	list := make([]Difference, len(members))
	for i, m := range members {
		list[i] = Difference{
			Field:  m.key,
			Before: appendCanonical(nil, m.value, 0),
			After:  appendReduced(nil, current.get(m.key), m.value, 0),
		}
	}
	return list, nil
}

// appendReduced appends v in canonical JSON, of a hash only the keys that like has.
func appendReduced(dst []byte, v, like gjson.Result, depth int) []byte {
	if !v.IsObject() || !like.IsObject() {
		return appendCanonical(dst, v, depth)
	}
	dst = append(dst, '{')
	for i, m := range sortedMembers(like) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.key), ':')
		dst = appendReduced(dst, member(v, m.key), m.value, depth+1)
	}
	return append(dst, '}')
}
