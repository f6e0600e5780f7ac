// Command own-main is a QuoteKit with two things more: events of a type that the service
// does not handle by itself, by a handler that calls another system, and a bulk operation
// of its own. See README.md beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/app"
	"github.com/quotekit/quotekit/handlers"
	"github.com/quotekit/quotekit/operations"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, os.Getenv, logger, func(string) {}); err != nil {
		logger.Error("own-main", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It calls ready with the URL of the service when requests are
// let in. Beside the settings of docs/configuration.md it reads LEDGER_URL.
func run(ctx context.Context, getenv func(string) string, logger *slog.Logger, ready func(url string)) (err error) {
	config, err := app.LoadConfig(getenv, nil, "")
	if err != nil {
		return err
	}
	books, err := newLedger(getenv("LEDGER_URL"), http.DefaultClient)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, config, app.Options{Routes: routes(books), Operations: bulk(), Logger: logger})
	if err != nil {
		return fmt.Errorf("make the service: %w", err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-a.Ready():
			ready(a.URL())
		case <-ended:
		}
	}()
	return a.Run(ctx)
}

// routes are those of the service and one more.
func routes(l *ledger) []quotekit.Route {
	return append(handlers.Routes(), l.route())
}

// bulk are the operations of the service and one more.
func bulk() []quotekit.Operation {
	return append(operations.Operations(), roundItemPrices())
}
