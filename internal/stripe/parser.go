package stripe

import (
	"bytes"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// parser turns a text into the nodes of a document. The tokens are those of
// jsontext, the reader of the coming encoding/json/v2: it checks the grammar in
// the same pass and does not recurse.
type parser struct {
	text   string
	nodes  []node
	parent int32 // the open array or object, -1 outside
	depth  int
	// name is that of the member whose value comes next.
	name  node
	named bool
}

// run reads the whole text. What Stripe sends is taken as JSON is written: the
// last of equal names wins, and text that is not Unicode is cleaned by whoever
// reads it.
func (p *parser) run() error {
	decoder := jsontext.NewDecoder(bytes.NewBufferString(p.text),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		switch k := decoder.PeekKind(); k {
		case '{', '[':
			if p.depth++; p.depth > MaxDepth {
				return errTooDeep
			}
			if _, err := decoder.ReadToken(); err != nil {
				return errNotJSON
			}
			p.open(k, int32(decoder.InputOffset()))
		case '}', ']':
			if _, err := decoder.ReadToken(); err != nil {
				return errNotJSON
			}
			p.close(int32(decoder.InputOffset()))
		default:
			raw, err := decoder.ReadValue()
			if err != nil {
				return errNotJSON
			}
			end := int32(decoder.InputOffset())
			p.scalar(k, end-int32(len(raw)), end)
		}
		if p.parent < 0 { // the one value is complete
			if _, err := decoder.ReadToken(); err != io.EOF {
				return errNotJSON
			}
			return nil
		}
	}
}

func (p *parser) open(k jsontext.Kind, end int32) {
	n := p.takeName()
	n.kind = isArray
	if k == '{' {
		n.kind = isObject
	}
	n.start, n.next = end-1, p.parent
	p.parent = int32(len(p.nodes))
	p.nodes = append(p.nodes, n)
}

func (p *parser) close(end int32) {
	n := &p.nodes[p.parent]
	p.parent = n.next
	n.next, n.end = int32(len(p.nodes)), end
	p.depth--
}

// scalar adds a value that has no others in it, or keeps the name of a member.
func (p *parser) scalar(k jsontext.Kind, start, end int32) {
	if p.parent >= 0 && p.nodes[p.parent].kind == isObject && !p.named {
		p.named = true
		p.name = node{key: start + 1, keyEnd: end - 1, keyEscaped: strings.IndexByte(p.text[start:end], '\\') >= 0}
		return
	}
	n := p.takeName()
	n.start, n.end, n.next = start, end, int32(len(p.nodes)+1)
	switch k {
	case 'n':
		n.kind = isNull
	case 'f':
		n.kind = isFalse
	case 't':
		n.kind = isTrue
	case '0':
		n.kind = isNumber
	case '"':
		n.kind = isString
		n.escaped = strings.IndexByte(p.text[start:end], '\\') >= 0
		n.start++
		n.end--
	}
	p.nodes = append(p.nodes, n)
}

// takeName begins a node with the name that was read for it, if any.
func (p *parser) takeName() node {
	n := p.name
	p.name, p.named = node{}, false
	return n
}
