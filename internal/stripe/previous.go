package stripe

import (
	"errors"

	"github.com/tidwall/gjson"
)

// ApplyPrevious returns object as it was before the event: previous, the
// event's previous_attributes, put back into it. Hashes merge key by key at
// every depth and arrays are replaced whole, as Stripe writes them. A null
// at the top is an old value like any other; below it says that the event
// added the key, so the key goes (where it was an old null instead, nothing is
// lost: null and missing decode alike).
func ApplyPrevious(object, previous []byte) ([]byte, error) {
	now, before := gjson.ParseBytes(object), gjson.ParseBytes(previous)
	if !now.IsObject() {
		return nil, errors.New("data.object is not an object")
	}
	if !before.IsObject() {
		return nil, errors.New("data.previous_attributes is not an object")
	}
	out := make([]byte, 0, len(object)+len(previous))
	return appendMerged(out, now, before, 0), nil
}

// change is a member of previous_attributes that waits for its place.
type change struct {
	key    string
	rawKey string
	value  gjson.Result
	done   bool
}

func appendMerged(dst []byte, now, before gjson.Result, depth int) []byte {
	var changes []change
	before.ForEach(func(k, v gjson.Result) bool {
		for i := range changes {
			if changes[i].key == k.Str {
				changes[i].value = v
				return true
			}
		}
		changes = append(changes, change{key: k.Str, rawKey: k.Raw, value: v})
		return true
	})

	dst = append(dst, '{')
	first := true
	write := func(rawKey string, was, old gjson.Result) {
		if old.Type == gjson.Null && depth > 0 {
			return
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, rawKey...), ':')
		switch {
		case old.IsObject() && depth < MaxDepth:
			dst = appendMerged(dst, was, old, depth+1)
		case old.Type == gjson.Null:
			dst = append(dst, "null"...)
		default:
			dst = append(dst, old.Raw...)
		}
	}
	if !now.IsObject() { // where a hash was, there is none now
		now = gjson.Result{}
	}
	now.ForEach(func(k, v gjson.Result) bool {
		for i := range changes {
			if changes[i].key == k.Str {
				changes[i].done = true
				write(k.Raw, v, changes[i].value)
				return true
			}
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, k.Raw...), ':'), v.Raw...)
		return true
	})
	for _, c := range changes {
		if !c.done {
			write(c.rawKey, gjson.Result{}, c.value)
		}
	}
	return append(dst, '}')
}
