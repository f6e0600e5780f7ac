package browser_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// hands operate a page as one person does. What they touch is named as assistive
// technology names it: by its role, and by words of its name; "Group: words" is one
// within a group. What is disabled is not touched.
type hands interface {
	// press presses a button, or follows a link.
	press(role, name string)
	// write writes into a field, in place of what is there.
	write(name, text string)
	// tick ticks a box.
	tick(name string)
}

// errNotThere: a page does not have what is looked for, or not yet.
var errNotThere = errors.New("it is not there")

// find looks for the first element of one of the roles whose name has the words, and
// that can be seen and used.
func (p *tab) find(name string, roles []string) (cdp.BackendNodeID, error) {
	nodes, err := p.named(name, roles)
	for _, node := range nodes {
		if node.usable && p.visible(node.id) {
			return node.id, nil
		}
	}
	if err == nil {
		err = errNotThere
	}
	return 0, err
}

// touch waits for an element, and does something with it. Between the two a page that
// is live may replace the element: then it is looked for again.
func (p *tab) touch(name string, roles []string, do func(cdp.BackendNodeID) error) {
	p.t.Helper()
	p.until(fmt.Sprintf("touch %v %q", roles, name), func() (bool, error) {
		id, err := p.find(name, roles)
		if err == nil {
			err = do(id)
		}
		return err == nil, err
	})
}

type named struct {
	id     cdp.BackendNodeID
	name   string
	usable bool
}

// named returns what assistive technology sees of roles by a name, within a group if
// the name begins with one.
func (p *tab) named(name string, roles []string) (all []named, err error) {
	root, err := ask(p, dom.GetDocument, dom.GetDocumentParams{Depth: new(int64)})
	if err != nil {
		return nil, err
	}
	from := []named{{id: root.Root.BackendNodeID}}
	if group, rest, ok := strings.Cut(name, ": "); ok {
		name = rest
		if from, err = p.within(from[0].id, group, "group"); err != nil {
			return nil, err
		}
	}
	for _, start := range from {
		for _, role := range roles {
			some, err := p.within(start.id, name, role)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
	}
	return all, nil
}

// within returns the nodes of a role below a node whose name has the words.
func (p *tab) within(root cdp.BackendNodeID, words, role string) (nodes []named, err error) {
	tree, err := ask(p, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{BackendNodeID: root, Role: role})
	for _, node := range tree.Nodes {
		n := named{id: node.BackendDOMNodeID, usable: true}
		if node.Ignored || node.Name == nil {
			continue
		}
		if err := json.Unmarshal(node.Name.Value, &n.name); err != nil {
			return nil, err
		}
		for _, property := range node.Properties {
			if property.Name == accessibility.PropertyNameDisabled && string(property.Value.Value) == "true" {
				n.usable = false
			}
		}
		if strings.Contains(strings.ToLower(n.name), strings.ToLower(words)) {
			nodes = append(nodes, n)
		}
	}
	return nodes, err
}

func (p *tab) visible(id cdp.BackendNodeID) bool {
	_, err := p.center(id)
	return err == nil
}

// center scrolls an element into view and returns its middle.
func (p *tab) center(id cdp.BackendNodeID) (at [2]float64, err error) {
	if err := call(p, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: id}); err != nil {
		return at, err
	}
	quads, err := ask(p, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: id})
	if err != nil {
		return at, err
	}
	for _, q := range quads.Quads {
		// A link that wraps has several; each is clockwise from the upper left.
		at = [2]float64{(q[0] + q[4]) / 2, (q[1] + q[5]) / 2}
		if math.Abs(q[4]-q[0]) >= 1 && math.Abs(q[5]-q[1]) >= 1 {
			return at, nil
		}
	}
	return at, errors.New("the element has no size")
}

// on calls a function of an element, as this.
func on[T any](p *tab, id cdp.BackendNodeID, function string) (T, error) {
	var zero T
	node, err := ask(p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: id})
	if err != nil {
		return zero, err
	}
	defer func() {
		_ = call(p, runtime.ReleaseObject, runtime.ReleaseObjectParams{ObjectID: node.Object.ObjectID})
	}()
	return get(p, chromedp.CallFunctionOn[T](function, func(c *runtime.CallFunctionOnParams) { c.ObjectID = node.Object.ObjectID }))
}

// keys presses keys, one after the other.
func (p *tab) keys(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.must("press a key", p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
}

// selectAll is what Ctrl-A does to a field.
func (p *tab) selectAll() {
	p.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{kb.KeyRawDown, kb.KeyUp} {
		e := input.DispatchKeyEventParams{Type: kind, Key: "a", Code: "KeyA", WindowsVirtualKeyCode: 'A', Modifiers: int64(chromedp.ModifierCtrl)}
		if kind == kb.KeyRawDown {
			e.Commands = []string{"selectAll"} // headless Chromium has no key bindings
		}
		p.must("select all", call(p, input.DispatchKeyEvent, e))
	}
}

// fields are the roles of what takes text.
var fields = []string{"textbox", "searchbox", "spinbutton"}

// mouse points and clicks. It has a keyboard only to write with.
type mouse struct{ *tab }

func (m mouse) click(name string, roles ...string) {
	m.t.Helper()
	m.touch(name, roles, func(id cdp.BackendNodeID) error {
		at, err := m.center(id)
		if err == nil {
			err = m.do(chromedp.MouseClickXY(at[0], at[1]))
		}
		return err
	})
	// What is under the pointer is not changed, so it rests where nothing is.
	m.must("move away", m.do(chromedp.MouseEvent(chromedp.MouseMoved, 0, 0)))
}

func (m mouse) press(role, name string) { m.t.Helper(); m.click(name, role) }

func (m mouse) tick(name string) { m.t.Helper(); m.click(name, "checkbox") }

func (m mouse) write(name, text string) {
	m.t.Helper()
	m.click(name, fields...)
	m.selectAll()
	m.keys(text)
}

// keyboard reaches everything with the tabulator.
type keyboard struct{ *tab }

// reach moves the focus until it is on an element. It goes round once: what cannot
// be reached with the tabulator cannot be reached at all.
func (k keyboard) reach(name string, roles ...string) {
	k.t.Helper()
	k.touch(name, roles, func(id cdp.BackendNodeID) error {
		const most = 600
		for range most {
			where, err := on[string](k.tab, id, "function() { return !this.isConnected ? 'gone' : this === document.activeElement ? 'here' : '' }")
			switch {
			case err != nil:
				return err
			case where == "gone": // a page that is live has replaced it
				return errNotThere
			case where == "here":
				k.checkFocusShows()
				return nil
			}
			k.keys(kb.Tab)
		}
		k.fail("the tabulator does not get to %v %q", roles, name)
		return nil
	})
}

// checkFocusShows fails the test if the focus cannot be seen.
func (k keyboard) checkFocusShows() {
	k.t.Helper()
	hidden, err := eval[string](k.tab, `(() => {
		const e = document.activeElement, s = getComputedStyle(e);
		const shows = e.matches(':focus-visible') && (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none');
		return shows ? '' : e.outerHTML.slice(0, 200);
	})()`)
	k.must("look at the focus", err)
	if hidden != "" {
		k.t.Errorf("%s: the focus cannot be seen on %s", k.path(), hidden)
	}
}

func (k keyboard) press(role, name string) { k.t.Helper(); k.reach(name, role); k.keys(kb.Enter) }

func (k keyboard) tick(name string) { k.t.Helper(); k.reach(name, "checkbox"); k.keys(" ") }

func (k keyboard) write(name, text string) {
	k.t.Helper()
	k.reach(name, fields...)
	k.selectAll()
	k.keys(text)
}
