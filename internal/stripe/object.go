package stripe

import (
	"errors"
	"strconv"

	"github.com/quotekit/quotekit"
	"github.com/tidwall/gjson"
)

// object reads one JSON object field by field. A field that is null or missing
// reads as nil; one of the wrong JSON kind reads as nil too and is kept as the
// error, of which [object.done] returns the first. So a decoder is a struct
// literal that lists which field is read as what, and one check at the end.
type object struct {
	members []field
	// parent, name and index say where the object stands, for the error's text.
	parent *object
	name   string
	index  int // in the parent's array, -1 outside of arrays
	first  *error
}

type field struct {
	key   string
	value gjson.Result
}

// openObject begins to read raw, which must be a JSON object.
func openObject(raw []byte) (*object, error) {
	v := gjson.ParseBytes(raw)
	if !v.IsObject() {
		return nil, errors.New("data.object is not an object")
	}
	return newObject(v), nil
}

func newObject(v gjson.Result) *object {
	o := &object{index: -1, first: new(error), members: make([]field, 0, 48)}
	o.fill(v)
	return o
}

func (o *object) fill(v gjson.Result) {
	v.ForEach(func(k, v gjson.Result) bool {
		o.members = append(o.members, field{k.Str, v})
		return true
	})
}

// done returns the first error of the object and of all that were read from it.
func (o *object) done() error { return *o.first }

// get returns the value of key, the last one if there are several.
func (o *object) get(key string) gjson.Result {
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].key == key {
			return o.members[i].value
		}
	}
	return gjson.Result{}
}

// has reports whether key is there and not null.
func (o *object) has(key string) bool { return o.get(key).Type != gjson.Null }

// wrong keeps the error "<path> is not <want>". It never holds a value.
func (o *object) wrong(key, want string) {
	if *o.first == nil {
		*o.first = errors.New(o.path(key) + " is not " + want)
	}
}

func (o *object) path(key string) string {
	path := key
	for ; o.parent != nil; o = o.parent {
		place := o.name
		if o.index >= 0 {
			place += "[" + strconv.Itoa(o.index) + "]"
		}
		path = place + "." + path
	}
	return path
}

// id reads the object's own id, which must be there.
func (o *object) id() string {
	v := o.get("id")
	if v.Type != gjson.String || !isName(v.Str) {
		o.wrong("id", "an id")
		return ""
	}
	return v.Str
}

// text reads a string, cleaned.
func (o *object) text(key string) *string {
	v := o.get(key)
	switch v.Type {
	case gjson.String:
		s := cleanText(v.Str)
		return &s
	case gjson.Null:
	default:
		o.wrong(key, "a string")
	}
	return nil
}

// ref reads a reference: an id, or the object itself where it was expanded or
// is a {"deleted": true} stub. An empty string refers to nothing.
func (o *object) ref(key string) *string {
	v := o.get(key)
	if v.IsObject() {
		v = member(v, "id")
	} else if v.Type == gjson.Null {
		return nil
	}
	if v.Type == gjson.String && v.Str == "" {
		return nil
	}
	if v.Type != gjson.String || !isName(v.Str) {
		o.wrong(key, "an id or an object with one")
		return nil
	}
	id := v.Str
	return &id
}

// integer reads a whole number that fits into 64 bits. Money is read with it.
func (o *object) integer(key string) *int64 {
	v := o.get(key)
	if v.Type == gjson.Null {
		return nil
	}
	if n, ok := parseInteger(v.Raw); ok {
		return &n
	}
	o.wrong(key, "an integer")
	return nil
}

// seconds reads a Unix time.
func (o *object) seconds(key string) *quotekit.Seconds {
	v := o.get(key)
	if v.Type == gjson.Null {
		return nil
	}
	if s, ok := parseSeconds(v.Raw); ok {
		return &s
	}
	o.wrong(key, "a time in Unix seconds")
	return nil
}

func (o *object) boolean(key string) *bool {
	v := o.get(key)
	switch v.Type {
	case gjson.True, gjson.False:
		b := v.Type == gjson.True
		return &b
	case gjson.Null:
	default:
		o.wrong(key, "a boolean")
	}
	return nil
}

// decimal reads a decimal number written as a string, like "0.000381".
func (o *object) decimal(key string) *string {
	v := o.get(key)
	if v.Type == gjson.Null {
		return nil
	}
	if v.Type != gjson.String || !isDecimal(v.Str) {
		o.wrong(key, "a decimal number in a string")
		return nil
	}
	s := v.Str
	return &s
}

// json reads a hash as canonical JSON.
func (o *object) json(key string) quotekit.JSON {
	v := o.get(key)
	switch {
	case v.IsObject():
		return canonical(v)
	case v.Type != gjson.Null:
		o.wrong(key, "an object")
	}
	return ""
}

// metadata reads a hash of strings as canonical JSON.
func (o *object) metadata(key string) quotekit.JSON {
	j := o.json(key)
	if j != "" {
		o.get(key).ForEach(func(_, v gjson.Result) bool {
			if v.Type != gjson.String {
				o.wrong(key, "a hash of strings")
			}
			return v.Type == gjson.String
		})
	}
	return j
}

// hash opens a hash within o; null and missing open as one without members.
func (o *object) hash(key string) *object {
	v := o.get(key)
	h := &object{parent: o, name: key, index: -1, first: o.first}
	switch {
	case v.IsObject():
		h.fill(v)
	case v.Type != gjson.Null:
		o.wrong(key, "an object")
	}
	return h
}

// array lists the elements of an array, with nil for null and missing.
func (o *object) array(key string) []gjson.Result {
	v := o.get(key)
	switch {
	case v.IsArray():
		elements := make([]gjson.Result, 0, 4)
		v.ForEach(func(_, e gjson.Result) bool {
			elements = append(elements, e)
			return true
		})
		return elements
	case v.Type != gjson.Null:
		o.wrong(key, "an array")
	}
	return nil
}

// objects opens every element of an array of objects.
func (o *object) objects(key string) []*object {
	elements := o.array(key)
	if elements == nil {
		return nil
	}
	list := make([]*object, 0, len(elements))
	for i, e := range elements {
		if !e.IsObject() {
			o.wrong(key, "an array of objects")
			continue
		}
		element := &object{parent: o, name: key, index: i, first: o.first}
		element.fill(e)
		list = append(list, element)
	}
	return list
}

// list opens the elements of a Stripe list, which stand in its data. Cut
// reports that there may be more: Stripe says so, or there is no list.
func (o *object) list(key string) (elements []*object, cut bool) {
	l := o.hash(key)
	elements = l.objects("data")
	more, total := l.boolean("has_more"), l.integer("total_count")
	cut = elements == nil || more != nil && *more || total != nil && *total > int64(len(elements))
	return elements, cut
}

// member returns the value of one key of a JSON object, the last if there are several.
func member(v gjson.Result, key string) (found gjson.Result) {
	v.ForEach(func(k, e gjson.Result) bool {
		if k.Str == key {
			found = e
		}
		return true
	})
	return found
}

func isDecimal(s string) bool {
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	digits, points := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && i > 0 && i < len(s)-1:
			points++
		default:
			return false
		}
	}
	return digits > 0 && digits <= 64 && points <= 1
}
