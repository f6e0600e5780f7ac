// Package browser_test looks at the pages as people do: through Chromium, with
// mouse and keyboard, in both themes and at two widths, with JavaScript and
// without. The service behind them is the real command in dev mode, in a process
// of its own.
//
// There is one browser for all tests. Each test has tabs of its own, which share
// neither cookies nor storage with those of another.
package browser_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// chromiumVariable names the browser; see scripts/with-chromium.
const chromiumVariable = "QUOTEKIT_TEST_CHROMIUM"

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for the service and the browser more than they work.
	err := flag.Set("test.parallel", "4")
	code := m.Run()
	err = errors.Join(err, stopBrowser())
	for _, folder := range leftovers {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "end of the tests:", err)
		code = 1
	}
	os.Exit(code)
}

// leftovers are the folders that all tests share.
var leftovers []string

func removeLater(folder string) { leftovers = append(leftovers, folder) }

// stopBrowser ends the browser, if there is one.
var stopBrowser = func() error { return nil }

// browser is the browser of all tests, started by the first that needs it.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := os.Getenv(chromiumVariable)
	if path == "" {
		return nil, errors.New(chromiumVariable + " is not set; run: scripts/with-chromium go test ./browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], // with a profile of its own
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // which root and containers do not have
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
	)
	allocator, _ := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	stopBrowser = func() error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return chromedp.Cancel(ctx)
	}
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, nil
})
