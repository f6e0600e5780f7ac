package browser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// limit bounds every wait. It is far more than anything takes, also on a machine
// that is busy with other tests; only what never comes takes so long.
const limit = 2 * time.Minute

// picturesVariable names the folder that takes pictures of the pages; without it none
// are taken but of failures, which go to the test's artifacts (go test -artifacts).
const picturesVariable = "QUOTEKIT_TEST_SCREENSHOTS"

// tab is a page in the browser and what it complains about.
type tab struct {
	t    *testing.T
	base string // of the URLs that open takes
	ctx  context.Context

	mu         sync.Mutex
	complaints []string
	status     int64  // of the document
	address    string // of the document
}

// mustOpenTab opens an empty tab for a service.
func mustOpenTab(t *testing.T, base string) *tab {
	t.Helper()
	parent, err := browser()
	if err != nil {
		t.Fatal(err)
	}
	p := &tab{t: t, base: base}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.hear))
	t.Cleanup(cancel)
	p.ctx = ctx
	p.must("open a tab", chromedp.Do(ctx)) // without a limit, which would be that of the tab
	p.must("listen to issues", call(p, audits.Enable, cdp.Empty{}))
	p.size(1280)
	return p
}

// do acts in the tab.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) error {
	_, err := get(p, chromedp.Steps(steps...))
	return err
}

// get acts in the tab, and returns what that yields.
func get[T any](p *tab, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// call sends a command of the protocol that answers nothing.
func call[P any](p *tab, command cdp.Command[P, cdp.Empty], params P) error {
	_, err := ask(p, command, params)
	return err
}

// ask sends a command of the protocol.
func ask[P, R any](p *tab, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// must fails the test with what the page shows.
func (p *tab) must(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.fail("%s: %v", what, err)
	}
}

func (p *tab) fail(format string, args ...any) {
	p.t.Helper()
	text, _ := eval[string](p, "location.href + '\\n' + (document.body ? document.body.innerText : '')")
	picture := filepath.Join(p.t.ArtifactDir(), "failed.png")
	if png, err := get(p, chromedp.CaptureScreenshot()); err == nil {
		_ = os.WriteFile(picture, png, 0o600)
	}
	if len(text) > 4000 {
		text = text[:4000]
	}
	p.t.Fatalf("%s\ncomplaints: %q\nthe page (go test -artifacts keeps a picture):\n%s",
		fmt.Sprintf(format, args...), p.taken(), text)
}

// hear notes what the browser complains about. It runs on the goroutine that reads
// from the browser.
func (p *tab) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			p.status, p.address = e.Response.Status, e.Response.URL
		}
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, "exception: "+(&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if slices.Contains([]runtime.ConsoleAPICalledType{
			runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert,
		}, e.Type) {
			text := "console: "
			for _, arg := range e.Args {
				text += string(arg.Value) + arg.Description + " "
			}
			p.complaints = append(p.complaints, text)
		}
	case *log.EventEntryAdded:
		// That a document was answered 401 or 404 is what the test asked for.
		document := e.Entry.Source == log.EntrySourceNetwork && e.Entry.URL == p.address && p.status >= 400
		if (e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning) && !document {
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *audits.EventIssueAdded:
		text := "issue: " + string(e.Issue.Code)
		if csp := e.Issue.Details.ContentSecurityPolicyIssueDetails; csp != nil {
			text += fmt.Sprintf(" %s %s", csp.ViolatedDirective, csp.BlockedURL)
		}
		p.complaints = append(p.complaints, text)
	}
}

// taken returns what the browser has complained about since it was last asked.
func (p *tab) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.complaints
	p.complaints = nil
	return taken
}

// checkQuiet fails the test if the browser has complained.
func (p *tab) checkQuiet() {
	p.t.Helper()
	for _, complaint := range p.taken() {
		p.t.Errorf("%s: %s", p.path(), complaint)
	}
}

// open goes to a path of the service and returns the status of the document.
func (p *tab) open(path string) int64 {
	p.t.Helper()
	p.must("open "+path, p.do(chromedp.Navigate(p.base+path)))
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

// mark is set on a document, to tell it from the next.
const mark = "document.documentElement.dataset.browserTest"

// leaves does what leads to another document, and waits until that is complete.
func (p *tab) leaves(what string, do func()) {
	p.t.Helper()
	mustEval[string](p, mark+" = 'the one before'")
	do()
	p.until(what, func() (bool, error) {
		return eval[bool](p, mark+" === undefined && document.readyState === 'complete'")
	})
}

// reload loads the page again. It fails if the page is just being left.
func (p *tab) reload() error { return p.do(chromedp.Reload()) }

// path is where the tab is.
func (p *tab) path() string {
	address, err := eval[string](p, "location.pathname + location.search")
	if err != nil {
		return err.Error()
	}
	return address
}

// eval evaluates an expression in the page. It is not subject to the page's
// policy, and works where JavaScript is off.
func eval[T any](p *tab, expression string) (T, error) {
	return get(p, chromedp.Evaluate[T](expression))
}

func mustEval[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := eval[T](p, expression)
	p.must(expression, err)
	return v
}

// text is what the page shows.
func (p *tab) text() (string, error) { return eval[string](p, "document.body.innerText") }

// until waits for a condition. An error is a page that is being left, and asked
// again; the last one is told.
func (p *tab) until(what string, ok func() (bool, error)) {
	p.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := ok()
		if done && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.fail("%s: not within %s: %v", what, limit, err)
		}
		if p.ctx.Err() != nil {
			p.fail("%s: the tab is gone: %v", what, errors.Join(err, p.ctx.Err()))
		}
	}
}

// sees waits until the page shows all of the texts. Capitals do not count, since
// style sheets change them.
func (p *tab) sees(texts ...string) {
	p.t.Helper()
	p.until(fmt.Sprintf("see %q", texts), func() (bool, error) {
		text, err := p.text()
		return containsAll(text, texts), err
	})
}

func containsAll(text string, parts []string) bool {
	text = strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, part := range parts {
		if !strings.Contains(text, strings.ToLower(part)) {
			return false
		}
	}
	return true
}

// size sets the width of the window, as that of a screen that is not touched.
func (p *tab) size(width int64) {
	p.t.Helper()
	p.must("set the size", call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: 800, DeviceScaleFactor: 1,
	}))
}

// prefer sets the theme that the system prefers: light or dark.
func (p *tab) prefer(theme string) {
	p.t.Helper()
	p.must("set the theme", call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	}))
}

// withoutScripts keeps pages from running scripts from now on.
func (p *tab) withoutScripts() {
	p.t.Helper()
	p.must("switch scripts off", call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// wide says how wide the page is, and what makes it so, if it is wider than the
// window.
func (p *tab) wide() []string {
	p.t.Helper()
	return mustEval[[]string](p, `(() => {
		const page = document.documentElement;
		if (page.scrollWidth <= page.clientWidth) return [];
		const wide = [...document.body.querySelectorAll('*')].filter(e => e.getBoundingClientRect().right > page.clientWidth + 1);
		return [page.scrollWidth + ' px in ' + page.clientWidth, ...wide.slice(0, 8).map(e => e.cloneNode(false).outerHTML.slice(0, 160))];
	})()`)
}

// checkWidth fails the test if the page is wider than the window.
func (p *tab) checkWidth() {
	p.t.Helper()
	if wide := p.wide(); len(wide) > 0 {
		p.t.Errorf("%s scrolls sideways: %s", p.path(), strings.Join(wide, "\n\t"))
	}
}

// picture writes what the whole page looks like, if somebody wants pictures.
func (p *tab) picture(name string) {
	p.t.Helper()
	folder := os.Getenv(picturesVariable)
	if folder == "" {
		return
	}
	png, err := get(p, chromedp.FullScreenshot(100))
	p.must("take a picture", err)
	p.must("make the folder of the pictures", os.MkdirAll(folder, 0o755))
	p.must("write the picture", os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644))
}
