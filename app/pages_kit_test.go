package app_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// person has a browser without scripts, and is logged in.
type person struct {
	t       testing.TB
	base    *url.URL
	browser http.Client
}

// person opens a session with a token.
func (s *service) person(token string) *person {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	base, err := url.Parse(s.URL())
	if err != nil {
		s.t.Fatal(err)
	}
	p := &person{t: s.t, base: base, browser: http.Client{Jar: jar}}
	if got := p.send(http.MethodPost, "/dashboard/login", url.Values{"token": {token}}); got.status != http.StatusOK {
		s.t.Fatalf("the login is answered %d: %s", got.status, got.text())
	}
	return p
}

// page is what the browser shows.
type page struct {
	t      testing.TB
	status int
	url    *url.URL
	header http.Header
	body   string
	doc    *html.Node
}

// open goes to a URL.
func (p *person) open(path string) page {
	p.t.Helper()
	return p.send(http.MethodGet, path, nil)
}

// must opens a URL that there has to be.
func (p *person) must(path string) page {
	p.t.Helper()
	got := p.open(path)
	if got.status != http.StatusOK {
		p.t.Fatalf("%s: %d %s", path, got.status, got.text())
	}
	return got
}

// send asks as a form does, and goes where it is led.
func (p *person) send(method, path string, form url.Values) page {
	p.t.Helper()
	target, err := p.base.Parse(path)
	if err != nil {
		p.t.Fatal(err)
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, target.String(), body)
	if err != nil {
		p.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	resp, err := p.browser.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	doc, err := html.Parse(strings.NewReader(string(b)))
	if err != nil {
		p.t.Fatal(err)
	}
	return page{p.t, resp.StatusCode, resp.Request.URL, resp.Header, string(b), doc}
}

// press presses the button that begins with words, of the form that it is in, as it
// is filled in but for what is typed: names and values in turn. A button that is
// disabled cannot be pressed.
func (p *person) press(on page, words string, typed ...string) page {
	p.t.Helper()
	button := on.button(words)
	if button == nil {
		p.t.Fatalf("%s has no button %q:\n%s", on.url, words, on.text())
	}
	if disabled(button) {
		p.t.Fatalf("%s: the button %q is disabled", on.url, words)
	}
	form := above(button, "form")
	values := url.Values{}
	for _, field := range find(form, func(n *html.Node) bool { return slices.Contains([]string{"input", "select", "textarea"}, n.Data) }) {
		name := attr(field, "name")
		if kind := attr(field, "type"); name == "" || disabled(field) || (kind == "checkbox" && !has(field, "checked")) {
			continue
		}
		values.Add(name, valueOf(field))
	}
	if name := attr(button, "name"); name != "" {
		values.Add(name, attr(button, "value"))
	}
	given := map[string]bool{}
	for i := 0; i+1 < len(typed); i += 2 {
		if !given[typed[i]] {
			values.Del(typed[i])
			given[typed[i]] = true
		}
		values.Add(typed[i], typed[i+1])
	}
	action, err := on.url.Parse(attr(form, "action"))
	if err != nil {
		p.t.Fatal(err)
	}
	if !strings.EqualFold(attr(form, "method"), "post") {
		action.RawQuery = values.Encode()
		return p.open(action.String())
	}
	return p.send(http.MethodPost, action.String(), values)
}

// follow goes where the link with the words leads.
func (p *person) follow(on page, words string) page {
	p.t.Helper()
	links := find(on.doc, func(n *html.Node) bool { return n.Data == "a" && strings.HasPrefix(textOf(n), words) })
	if len(links) == 0 {
		p.t.Fatalf("%s has no link %q:\n%s", on.url, words, on.text())
	}
	target, err := on.url.Parse(attr(links[0], "href"))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.must(target.String())
}

func (g page) button(words string) *html.Node {
	buttons := find(g.doc, func(n *html.Node) bool { return n.Data == "button" && strings.HasPrefix(textOf(n), words) })
	if len(buttons) == 0 {
		return nil
	}
	return buttons[0]
}

// text is what can be read in the main part of the page.
func (g page) text() string {
	main := find(g.doc, func(n *html.Node) bool { return n.Data == "main" })
	if len(main) == 0 {
		return textOf(g.doc)
	}
	return textOf(main[0])
}

// says wants words to be in the page.
func (g page) says(words ...string) {
	g.t.Helper()
	text := g.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			g.t.Errorf("%s does not say %q:\n%s", g.url, w, text)
		}
	}
}

// keys are the rows of the list with an id.
func (g page) keys(id string) (keys []string) {
	lists := find(g.doc, func(n *html.Node) bool { return attr(n, "id") == id })
	if len(lists) == 0 {
		return nil
	}
	for _, row := range find(lists[0], func(n *html.Node) bool { return n.Data == "tr" && has(n, "data-key") }) {
		keys = append(keys, attr(row, "data-key"))
	}
	return keys
}

func find(n *html.Node, fits func(*html.Node) bool) (found []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && fits(d) {
			found = append(found, d)
		}
	}
	return found
}

func above(n *html.Node, name string) *html.Node {
	for ; n != nil; n = n.Parent {
		if n.Type == html.ElementNode && n.Data == name {
			return n
		}
	}
	return nil
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// disabled reports whether a control is, or the fieldset that it is in.
func disabled(n *html.Node) bool {
	for ; n != nil; n = above(n.Parent, "fieldset") {
		if has(n, "disabled") {
			return true
		}
	}
	return false
}

// valueOf is what a field of a form sends as it is.
func valueOf(field *html.Node) string {
	if field.Data != "select" {
		return attr(field, "value")
	}
	options := find(field, func(n *html.Node) bool { return n.Data == "option" })
	if len(options) == 0 {
		return ""
	}
	chosen := options[0]
	for _, o := range options {
		if has(o, "selected") {
			chosen = o
		}
	}
	if has(chosen, "value") {
		return attr(chosen, "value")
	}
	return textOf(chosen)
}

// textOf is the text of a node, with single blanks.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && above(d, "script") == nil && above(d, "style") == nil {
			b.WriteString(d.Data)
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
