package browser_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is the source of axe-core, which knows the rules of accessibility.
var axe = sync.OnceValues(func() (string, error) {
	b, err := os.ReadFile("../testdata/axe/axe.min.js")
	return string(b), err
})

// finding is a rule of accessibility that a page breaks.
type finding struct {
	ID     string   `json:"id"`
	Impact string   `json:"impact"`
	Help   string   `json:"help"`
	Nodes  []string `json:"nodes"`
}

// findings returns what axe finds serious or critical, by all of its rules or by
// some. It runs in a world of its own, so that the page's scripts do not see it, and
// the page's policy does not bind it.
func (p *tab) findings(rules ...string) []finding {
	p.t.Helper()
	options := map[string]any{"resultTypes": []string{"violations"}}
	if len(rules) > 0 {
		options["runOnly"] = rules
	}
	how, err := json.Marshal(options)
	p.must("encode the options of axe", err)
	source, err := axe()
	p.must("read axe", err)
	tree, err := ask(p, page.GetFrameTree, cdp.Empty{})
	p.must("find the frame", err)
	world, err := ask(p, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.Frame.ID, WorldName: "axe"})
	p.must("make a world", err)
	in := func(e *runtime.EvaluateParams) { e.ContextID = world.ExecutionContextID }
	there, err := get(p, chromedp.Evaluate[bool](`typeof axe === 'object'`, in)) // from the last time
	p.must("look for axe", err)
	if !there {
		p.must("load axe", p.do(chromedp.Evaluate[chromedp.Void](source, in)))
	}
	found, err := get(p, chromedp.Evaluate[[]finding](`axe.run(document, `+string(how)+`).then(r => r.violations
		.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.slice(0, 4).map(n => n.html.slice(0, 200) + ' ' + n.failureSummary)})))`,
		in, chromedp.EvalAwaitPromise))
	p.must("run axe", err)
	return found
}

// checkAccessible fails the test for each serious finding.
func (p *tab) checkAccessible(rules ...string) {
	p.t.Helper()
	for _, f := range p.findings(rules...) {
		p.t.Errorf("%s: %s: %s (%s): %s", p.path(), f.Impact, f.Help, f.ID, strings.Join(f.Nodes, "\n\t"))
	}
}

func (f finding) String() string { return fmt.Sprintf("%s %s", f.Impact, f.ID) }
