package stripe

// parser turns a text into the nodes of a document.
type parser struct {
	text   string
	i      int
	nodes  []node
	parent int32 // the open array or object, -1 outside
	depth  int
}

// run reads the whole text. It is one loop over values rather than a function
// that calls itself, so that depth costs nothing.
func (p *parser) run() error {
	var n node // holds the name of the value that comes next
	for {
		opened, err := p.value(n)
		if err != nil {
			return err
		}
		for !opened {
			if p.parent < 0 {
				if p.space(); p.i < len(p.text) {
					return errNotJSON
				}
				return nil
			}
			if more, ok := p.comma(); !ok {
				return errNotJSON
			} else if more {
				break
			}
		}
		n = node{}
		if p.nodes[p.parent].kind == isObject && !p.name(&n) {
			return errNotJSON
		}
	}
}

// value reads the value at the cursor. Opened reports that it was the opening
// of an array or object with something in it.
func (p *parser) value(n node) (opened bool, err error) {
	p.space()
	if p.i >= len(p.text) {
		return false, errNotJSON
	}
	n.start = int32(p.i)
	ok := true
	switch c := p.text[p.i]; c {
	case '{', '[':
		return p.open(n, c)
	case '"':
		n.kind = isString
		n.start++
		n.escaped, ok = p.str()
		n.end = int32(p.i - 1)
	case 't':
		n.kind, ok = isTrue, p.word("true")
		n.end = int32(p.i)
	case 'f':
		n.kind, ok = isFalse, p.word("false")
		n.end = int32(p.i)
	case 'n':
		n.kind, ok = isNull, p.word("null")
		n.end = int32(p.i)
	default:
		n.kind, ok = isNumber, p.number()
		n.end = int32(p.i)
	}
	if !ok {
		return false, errNotJSON
	}
	n.next = int32(len(p.nodes) + 1)
	p.nodes = append(p.nodes, n)
	return false, nil
}

// open begins an array or object; an empty one is closed at once.
func (p *parser) open(n node, c byte) (opened bool, err error) {
	if p.depth++; p.depth > MaxDepth {
		return false, errTooDeep
	}
	n.kind = isArray
	if c == '{' {
		n.kind = isObject
	}
	n.next = p.parent
	p.parent = int32(len(p.nodes))
	p.nodes = append(p.nodes, n)
	p.i++
	p.space()
	if p.i < len(p.text) && p.text[p.i] == c+2 { // the closing bracket in ASCII
		p.close()
		return false, nil
	}
	return true, nil
}

func (p *parser) close() {
	p.i++
	n := &p.nodes[p.parent]
	p.parent = n.next
	n.next, n.end = int32(len(p.nodes)), int32(p.i)
	p.depth--
}

// comma reads what follows a value in an array or object: more reports a comma.
func (p *parser) comma() (more, ok bool) {
	p.space()
	if p.i >= len(p.text) {
		return false, false
	}
	end := byte(']')
	if p.nodes[p.parent].kind == isObject {
		end = '}'
	}
	switch p.text[p.i] {
	case ',':
		p.i++
		return true, true
	case end:
		p.close()
		return false, true
	}
	return false, false
}

// name reads the name of a member and the colon behind it.
func (p *parser) name(n *node) (ok bool) {
	p.space()
	if p.i >= len(p.text) || p.text[p.i] != '"' {
		return false
	}
	n.key = int32(p.i + 1)
	if n.keyEscaped, ok = p.str(); !ok {
		return false
	}
	n.keyEnd = int32(p.i - 1)
	p.space()
	if p.i >= len(p.text) || p.text[p.i] != ':' {
		return false
	}
	p.i++
	return true
}

func (p *parser) space() {
	text, i := p.text, p.i
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	p.i = i
}

func (p *parser) word(word string) bool {
	if len(p.text)-p.i < len(word) || p.text[p.i:p.i+len(word)] != word {
		return false
	}
	p.i += len(word)
	return true
}

// str reads a string, the cursor at its opening quote.
func (p *parser) str() (escaped, ok bool) {
	text := p.text
	for i := p.i + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			p.i = i + 1
			return escaped, true
		case c < ' ':
			return false, false
		case c == '\\':
			escaped = true
			i++
			if i >= len(text) {
				return false, false
			}
			switch text[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if len(text)-i < 5 || !areHex(text[i+1:i+5]) {
					return false, false
				}
				i += 4
			default:
				return false, false
			}
		}
	}
	return false, false
}

func (p *parser) number() bool {
	if p.text[p.i] == '-' {
		p.i++
	}
	if p.i < len(p.text) && p.text[p.i] == '0' {
		p.i++
	} else if !p.digits() {
		return false
	}
	if p.i < len(p.text) && p.text[p.i] == '.' {
		p.i++
		if !p.digits() {
			return false
		}
	}
	if p.i < len(p.text) && p.text[p.i]|0x20 == 'e' {
		p.i++
		if p.i < len(p.text) && (p.text[p.i] == '+' || p.text[p.i] == '-') {
			p.i++
		}
		return p.digits()
	}
	return true
}

// digits reads one digit or more.
func (p *parser) digits() bool {
	start := p.i
	for p.i < len(p.text) && p.text[p.i] >= '0' && p.text[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}
