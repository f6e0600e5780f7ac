package stripe

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/quotekit/quotekit"
)

// object reads one JSON object field by field. A field that is null or missing
// reads as nil; one of the wrong JSON kind reads as nil too and is kept as the
// error, of which [readAll] returns the first. So a decoder is a struct
// literal that lists which field is read as what.
type object struct {
	value
	// parent, name and index say where the object stands, for the error's text.
	parent *object
	name   string
	index  int // in the parent's array, -1 outside of arrays
	first  *error
}

// parseHash parses text, which must be one JSON object; place names it in the error.
func parseHash(place string, text []byte) (value, error) {
	v, err := parse(string(text))
	if err != nil || !v.isObject() {
		return v, errors.New(place + " is not an object")
	}
	return v, nil
}

// readAll reads an object; the error is the first field's of a wrong kind,
// with prefix before it.
func readAll[R any](v value, prefix string, read func(*object) *R) (*R, error) {
	o := newObject(v)
	row := read(o)
	if *o.first != nil {
		return nil, fmt.Errorf("%s%w", prefix, *o.first)
	}
	return row, nil
}

func newObject(v value) *object { return &object{value: v, index: -1, first: new(error)} }

// has reports whether key is there and not null.
func (o *object) has(key string) bool { return !o.get(key).missing() }

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
	if !v.isString() || !isName(v.str()) {
		o.wrong("id", "an id")
		return ""
	}
	return v.str()
}

// text reads a string, cleaned.
func (o *object) text(key string) *string {
	v := o.get(key)
	switch v.kind() {
	case isString:
		s := cleanText(v.str())
		return &s
	case isNull:
	default:
		o.wrong(key, "a string")
	}
	return nil
}

// ref reads a reference: an id, or the object itself where it was expanded or
// is a {"deleted": true} stub. An empty string refers to nothing.
func (o *object) ref(key string) *string {
	v := o.get(key)
	if v.isObject() {
		v = v.get("id")
	} else if v.missing() {
		return nil
	}
	if v.isString() && v.raw() == "" {
		return nil
	}
	if !v.isString() || !isName(v.str()) {
		o.wrong(key, "an id or an object with one")
		return nil
	}
	id := v.str()
	return &id
}

// integer reads a whole number that fits into 64 bits. Money is read with it.
func (o *object) integer(key string) *int64 {
	v := o.get(key)
	if v.missing() {
		return nil
	}
	if n, ok := parseInteger(v.raw()); ok && v.kind() == isNumber {
		return &n
	}
	o.wrong(key, "an integer")
	return nil
}

// seconds reads a Unix time.
func (o *object) seconds(key string) *quotekit.Seconds {
	v := o.get(key)
	if v.missing() {
		return nil
	}
	if s, ok := parseSeconds(v.raw()); ok && v.kind() == isNumber {
		return &s
	}
	o.wrong(key, "a time in Unix seconds")
	return nil
}

func (o *object) boolean(key string) *bool {
	v := o.get(key)
	switch k := v.kind(); k {
	case isTrue, isFalse:
		b := k == isTrue
		return &b
	case isNull:
	default:
		o.wrong(key, "a boolean")
	}
	return nil
}

// decimal reads a decimal number written as a string, like "0.000381".
func (o *object) decimal(key string) *string {
	v := o.get(key)
	if v.missing() {
		return nil
	}
	if !v.isString() || !isDecimal(v.str()) {
		o.wrong(key, "a decimal number in a string")
		return nil
	}
	s := v.str()
	return &s
}

// json reads a hash as canonical JSON.
func (o *object) json(key string) quotekit.JSON {
	v := o.get(key)
	switch {
	case v.isObject():
		return canonical(v)
	case !v.missing():
		o.wrong(key, "an object")
	}
	return ""
}

// metadata reads a hash of strings as canonical JSON.
func (o *object) metadata(key string) quotekit.JSON {
	for v := range o.get(key).all() {
		if !v.isString() {
			o.wrong(key, "a hash of strings")
			return ""
		}
	}
	return o.json(key)
}

// hash opens a hash within o; null and missing open as one without members.
func (o *object) hash(key string) *object {
	v := o.get(key)
	if !v.missing() && !v.isObject() {
		o.wrong(key, "an object")
	}
	return &object{value: v, parent: o, name: key, index: -1, first: o.first}
}

// array returns an array, with a missing value for one that is null.
func (o *object) array(key string) value {
	v := o.get(key)
	if v.isArray() {
		return v
	}
	if !v.missing() {
		o.wrong(key, "an array")
	}
	return value{}
}

// objects opens every element of an array of objects, with nil for null and missing.
func (o *object) objects(key string) []*object {
	array := o.array(key)
	if array.missing() {
		return nil
	}
	list := make([]*object, 0, 4)
	for e := range array.all() {
		if !e.isObject() {
			o.wrong(key, "an array of objects")
			continue
		}
		list = append(list, &object{value: e, parent: o, name: key, index: len(list), first: o.first})
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
