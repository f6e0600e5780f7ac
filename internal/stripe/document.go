package stripe

import (
	"errors"
	"iter"
	"math"
	"sync"
)

// MaxDepth is how deep a body may be nested. Stripe's objects stay below 20;
// the bound keeps recursive readers, ours and Postgres', off their stack limit.
const MaxDepth = 512

var (
	errNotJSON = errors.New("not JSON")
	errTooDeep = errors.New("nested too deep")
)

// document is a JSON text and the places of its values: one pass checks the
// text and finds them, and nothing looks at a skipped value twice. (Path
// queries on the text cost three times as much on an event of 5 kB, since each
// level of nesting is scanned again.)
type document struct {
	text  string
	nodes []node
}

// node is one value, in the order of the text. What is in an array or object
// follows it, up to next.
type node struct {
	key, keyEnd int32 // of the name in an object, without quotes
	start, end  int32 // of the value, of strings without quotes
	next        int32 // behind this value; while it is open, its parent
	kind        kind
	keyEscaped  bool
	escaped     bool
}

type kind uint8

const (
	isNull kind = iota
	isFalse
	isTrue
	isNumber
	isString
	isArray
	isObject
)

// value is one value of a document; the zero value is a missing one.
type value struct {
	d *document
	i int32
}

// parse checks that text is one JSON value and finds all values in it. It does
// not recurse. The error is errNotJSON or errTooDeep.
func parse(text string) (value, error) {
	if len(text) > math.MaxInt32 {
		return value{}, errTooDeep
	}
	d := documents.Get().(*document)
	p := parser{text: text, parent: -1, nodes: d.nodes[:0]}
	err := p.run()
	d.text, d.nodes = text, p.nodes
	if err != nil {
		value{d: d}.release()
		return value{}, err
	}
	return value{d: d}, nil
}

// documents keeps the nodes of documents that were read, since they are half
// of what an event allocates.
var documents = sync.Pool{New: func() any { return new(document) }}

// release gives the document of v back; no value of it may be used afterwards.
// The strings that were read stay. Forgetting it costs only the memory.
func (v value) release() {
	const keep = 4096 // nodes, the largest usual event; a rare giant is left to the collector
	if v.d != nil && cap(v.d.nodes) <= keep {
		v.d.text = ""
		documents.Put(v.d)
	}
}

// kind returns null for a missing value too: nobody tells the two apart.
func (v value) kind() kind {
	if v.d == nil {
		return isNull
	}
	return v.d.nodes[v.i].kind
}

func (v value) missing() bool  { return v.kind() == isNull }
func (v value) isObject() bool { return v.kind() == isObject }
func (v value) isArray() bool  { return v.kind() == isArray }
func (v value) isString() bool { return v.kind() == isString }

// span returns where the value stands in the text, of strings without quotes.
func (v value) span() (start, end int) {
	n := &v.d.nodes[v.i]
	return int(n.start), int(n.end)
}

// raw returns the value as it stands in the text, of strings without quotes.
func (v value) raw() string {
	start, end := v.span()
	return v.d.text[start:end]
}

// appendTo appends the value as it stands in the text.
func (v value) appendTo(dst []byte) []byte {
	if v.isString() {
		return append(append(append(dst, '"'), v.raw()...), '"')
	}
	return append(dst, v.raw()...)
}

// appendMember appends a member of an object, name and all, as it stands in the text.
func (v value) appendMember(dst []byte) []byte {
	n := &v.d.nodes[v.i]
	dst = append(append(append(dst, '"'), v.d.text[n.key:n.keyEnd]...), '"', ':')
	return v.appendTo(dst)
}

// str returns the string a value holds, not cleaned.
func (v value) str() string {
	if !v.isString() {
		return ""
	}
	if v.d.nodes[v.i].escaped {
		return unescape(v.raw())
	}
	return v.raw()
}

// name returns the key of a member of an object, not cleaned.
func (v value) name() string {
	n := &v.d.nodes[v.i]
	key := v.d.text[n.key:n.keyEnd]
	if n.keyEscaped {
		return unescape(key)
	}
	return key
}

// all yields the elements of an array or the members of an object.
func (v value) all() iter.Seq[value] {
	return func(yield func(value) bool) {
		if k := v.kind(); k != isArray && k != isObject {
			return
		}
		nodes := v.d.nodes
		for i := v.i + 1; i < nodes[v.i].next; i = nodes[i].next {
			if !yield(value{v.d, i}) {
				return
			}
		}
	}
}

// get returns the member of an object with this name, the last if there are several.
func (v value) get(name string) (found value) {
	if !v.isObject() {
		return value{}
	}
	nodes, text := v.d.nodes, v.d.text
	for i := v.i + 1; i < nodes[v.i].next; i = nodes[i].next {
		n := &nodes[i]
		if int(n.keyEnd-n.key) == len(name) && text[n.key:n.keyEnd] == name ||
			n.keyEscaped && unescape(text[n.key:n.keyEnd]) == name {
			found = value{v.d, i}
		}
	}
	return found
}
