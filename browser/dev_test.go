package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"

	"github.com/quotekit/quotekit/app"
)

// command builds the command, with the race detector if the tests have it. The
// file stays until the tests end.
var command = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "quotekit-browser")
	if err != nil {
		return "", err
	}
	removeLater(folder)
	path := filepath.Join(folder, "quotekit")
	arguments := []string{"build", "-o", path}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				flags, err := exec.Command("../scripts/race").Output()
				if err != nil {
					return "", fmt.Errorf("scripts/race: %w", err)
				}
				arguments = append(arguments, strings.Fields(string(flags))...) // those of make test: all is compiled already
			}
		}
	}
	build := exec.Command("go", append(arguments, "../cmd/quotekit")...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", build, err, out)
	}
	return path, nil
})

// dev is a running quotekit dev.
type dev struct {
	app.DevCredentials
	t      *testing.T
	folder string
	// session is a cookie of somebody who is logged in as an admin.
	session *http.Cookie
}

// mustStartDev runs quotekit dev with sample events at a rate, until the test ends.
func mustStartDev(t *testing.T, rate string) *dev {
	t.Helper()
	path, err := command()
	if err != nil {
		t.Fatal(err)
	}
	d := &dev{t: t, folder: t.TempDir()}
	var talk bytes.Buffer
	c := exec.Command(path, "dev", "--rate", rate)
	c.Dir, c.Stdout, c.Stderr = d.folder, &talk, &talk
	c.Env = append(os.Environ(), "QUOTEKIT_ADDR=127.0.0.1:0", "GORACE=halt_on_error=1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt) // if it is gone, Wait says why
		select {
		case err := <-ended:
			if err != nil || t.Failed() {
				t.Errorf("quotekit dev ended: %v\n%s", err, tail(talk.String()))
			}
		case <-time.After(limit):
			_ = c.Process.Kill()
			t.Errorf("quotekit dev does not stop\n%s", tail(talk.String()))
		}
	})
	deadline := time.After(limit)
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for {
		d.DevCredentials, err = app.ReadDevCredentials(filepath.Join(d.folder, app.DefaultDevDir))
		if err == nil && d.Alive(context.Background()) {
			break
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			t.Fatal("quotekit dev did not start")
		case <-deadline:
			t.Fatalf("quotekit dev has not started within %s: %v", limit, err)
		}
	}
	d.session = d.mustLogIn(d.AdminToken)
	return d
}

// tail is the end of a long text.
func tail(text string) string { return text[max(0, len(text)-4000):] }

// run runs a command beside the dev mode.
func (d *dev) run(arguments ...string) string {
	d.t.Helper()
	path, err := command()
	if err != nil {
		d.t.Fatal(err)
	}
	c := exec.Command(path, arguments...)
	c.Dir = d.folder
	var talk bytes.Buffer
	c.Stderr = &talk
	out, err := c.Output()
	if err != nil {
		d.t.Fatalf("quotekit %s: %v\n%s%s", strings.Join(arguments, " "), err, out, talk.String())
	}
	return string(out)
}

// get asks the operators' API.
func (d *dev) get(path string, into any) {
	d.t.Helper()
	d.getAs(d.AdminToken, path, into)
}

func (d *dev) getAs(token, path string, into any) {
	d.t.Helper()
	if err := json.Unmarshal(d.send(http.MethodGet, token, path, ""), into); err != nil {
		d.t.Fatalf("%s: %v", path, err)
	}
}

func (d *dev) post(token, path, body string) {
	d.t.Helper()
	d.send(http.MethodPost, token, path, body)
}

func (d *dev) send(method, token, path, body string) []byte {
	d.t.Helper()
	req, err := http.NewRequest(method, d.URL+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		d.t.Fatalf("%s %s: answered %s %s, %v", method, path, resp.Status, b, err)
	}
	return b
}

// eventually waits for what the service brings about.
func (d *dev) eventually(what string, ok func() bool) {
	d.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// mustLogIn opens a session with a token, and returns its cookie.
func (d *dev) mustLogIn(token string) *http.Cookie {
	d.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(d.URL+"/dashboard/login", url.Values{"token": {token}})
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
		d.t.Fatalf("the login was answered %s with the cookies %v", resp.Status, resp.Cookies())
	}
	return resp.Cookies()[0]
}

// mustOpenTab opens a tab in which the admin is logged in already.
func (d *dev) mustOpenTab(t *testing.T) *tab {
	t.Helper()
	p := mustOpenTab(t, d.URL)
	c := d.session
	p.must("log in", call(p, network.SetCookies, network.SetCookiesParams{Cookies: []*network.CookieParam{
		{Name: c.Name, Value: c.Value, URL: d.URL, Path: c.Path, HTTPOnly: c.HttpOnly, Secure: c.Secure},
	}}))
	return p
}

// page fetches a page as the admin, without a browser. If it leads elsewhere, to
// says where.
func (d *dev) page(path string) (status int, html, to string) {
	d.t.Helper()
	req, err := http.NewRequest(http.MethodGet, d.URL+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.AddCookie(d.session)
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header.Get("Location")
}
