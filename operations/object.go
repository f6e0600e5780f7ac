package operations

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/quotekit/quotekit"
)

// maxProblems bounds what is told about one object: it may have a thousand
// fields, and all of it is kept as the outcome of its item.
const maxProblems = 50

// problems collects what is wrong with an object. The messages say what a
// field must be and how it is not; they never show what was sent, but its kind.
type problems struct {
	list []quotekit.FieldError
	more int // not listed
}

func (p *problems) add(field, message string) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, quotekit.FieldError{Field: field, Message: message})
}

func (p *problems) count() int { return len(p.list) + p.more }

// all returns nil where nothing is wrong.
func (p *problems) all() []quotekit.FieldError {
	if p.more == 0 {
		return p.list
	}
	return append(slices.Clone(p.list), quotekit.FieldError{Message: fmt.Sprintf("and %d problems more", p.more)})
}

// object is a JSON object that is read member by member. What has been read is
// taken out of it, so that the rest is what nobody knows.
type object struct {
	path     string // where it stands, like line_items[2]; empty for the outermost
	members  map[string]jsontext.Value
	problems *problems
}

// readOptions reads the options of a request, whose names are known to be right.
func readOptions(options map[string]stdjson.RawMessage) object {
	o := object{members: map[string]jsontext.Value{}, problems: new(problems)}
	for name, value := range options {
		o.members[name] = jsontext.Value(value)
	}
	return o
}

// readObject reads text as one JSON object. Equal names, text that is not
// Unicode and anything behind the object are errors, at any depth.
func readObject(text jsontext.Value, path string, p *problems) (o object, ok bool) {
	o = object{path: path, problems: p}
	if k := text.Kind(); k != '{' && k != jsontext.KindInvalid {
		p.add(path, "must be an object, not "+kindName(k))
		return o, false
	}
	if err := json.Unmarshal(text, &o.members); err != nil {
		p.addSyntax(path, err)
		return o, false
	}
	return o, true
}

// addSyntax tells why a text is not JSON, and where.
func (p *problems) addSyntax(path string, err error) {
	message := "is not valid JSON"
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		for token := range syntax.JSONPointer.Tokens() {
			path = join(path, token)
		}
		switch {
		case errors.Is(err, jsontext.ErrDuplicateName):
			message = "appears twice"
		case strings.Contains(syntax.Err.Error(), "UTF-8"), strings.Contains(syntax.Err.Error(), "surrogate"):
			message = "has text that is not valid Unicode"
		}
	}
	p.add(path, message)
}

// wrong notes what is wrong with a member.
func (o object) wrong(name, format string, args ...any) {
	o.problems.add(join(o.path, name), fmt.Sprintf(format, args...))
}

// has reports whether the object has a member that is not null.
func (o object) has(name string) bool {
	value, ok := o.members[name]
	return ok && value.Kind() != 'n'
}

// take returns a member; null is the same as none.
func (o object) take(name string) (value jsontext.Value, ok bool) {
	value, ok = o.members[name], o.has(name)
	delete(o.members, name)
	return value, ok
}

// serviceSets are fields of the rows that show up in what is read back.
var serviceSets = []string{"id", "user_id", "created_at", "updated_at"}

// refuseOthers notes the members that have not been taken.
func (o object) refuseOthers() {
	for _, name := range slices.Sorted(maps.Keys(o.members)) {
		if o.path == "" && slices.Contains(serviceSets, name) {
			o.wrong(name, "is set by the service")
		} else {
			o.wrong(name, "is not a known field")
		}
	}
}

// join names a member or an element of what stands at path. A name that is no
// word is quoted, since it goes to where not every text is allowed.
func join(path, name string) string {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil && path != "" {
		return path + "[" + name + "]"
	}
	if !isWord(name) {
		const most = 40 // bytes
		name = strconv.QuoteToASCII(name[:min(len(name), most)])
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '[':
		return "an array"
	case '{':
		return "an object"
	}
	return "anything else"
}
