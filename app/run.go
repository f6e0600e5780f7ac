package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quotekit/quotekit/internal/store"
)

const (
	// stopWithin is how long a stop may take: requests under way are answered,
	// groups committed, jobs finished or put back.
	stopWithin = 10 * time.Second
	// answerWithin is how long the last requests may take after their groups.
	answerWithin = time.Second
)

// Run listens, waits until the database can be used, and works until ctx ends.
// Then it stops: no new requests, those under way answered, groups committed,
// jobs stopped. It returns nil after a stop that was asked for, also while it
// waits. An error that waiting does not cure ends it.
func (a *App) Run(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.config.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a.config.Addr, err)
	}
	a.url = "http://" + listener.Addr().String()
	server := newServer(a.handler, patience, a.options.Logger)
	serving, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go func() { fail(fmt.Errorf("serve: %w", server.Serve(listener))) }()
	close(a.listening)
	a.options.Logger.Info("listening", "url", a.url, "database", a.store.Dialect().String(), "role", a.options.Role)

	stop, err := a.start(serving)
	if err == nil {
		close(a.ready)
		a.options.Logger.Info("ready")
		a.watchClocks(serving)
	}
	if serving.Err() != nil {
		err = nil // stop and all it was waiting for
		if ctx.Err() == nil {
			err = context.Cause(serving)
		}
	}
	a.draining.Store(true)
	a.stop(ctx, server, stop)
	a.options.Logger.Info("stopped")
	return err
}

// stop ends everything within [stopWithin], and the few seconds that the last groups
// have where the database hangs. What is not finished then is not lost, so it is no error: deliveries
// were not answered, and jobs are taken up at the next start or elsewhere.
func (a *App) stop(ctx context.Context, server *http.Server, stopWorkers func(context.Context) error) {
	a.batch.StopWatching()
	if a.dashboard != nil {
		a.dashboard.Stop()
	}
	soft, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	hanging := server.Shutdown(soft)
	if stopWorkers != nil {
		if err := stopWorkers(soft); err != nil {
			a.options.Logger.Warn("not all jobs were put back; they are taken up elsewhere, or at the next start",
				"error", store.Describe(err))
		}
		a.webhook.Stop()
	}
	if hanging == nil {
		return
	}
	last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancelLast()
	if server.Shutdown(last) != nil {
		a.options.Logger.Warn("requests were cut off, which took longer than the stop may")
		_ = server.Close() // connections that are gone already
	}
}

// start makes the database ready, waiting for it if need be, and begins to work.
// It returns what stops the workers.
func (a *App) start(ctx context.Context) (stopWorkers func(context.Context) error, err error) {
	if err := a.patiently(ctx, a.prepare); err != nil {
		return nil, err
	}
	a.webhook.Start()
	if a.options.Role == RoleWeb {
		return func(context.Context) error { return nil }, nil
	}
	if stopWorkers, err = a.startWorkers(ctx); err != nil {
		a.webhook.Stop()
		return nil, err
	}
	return stopWorkers, nil
}

// StartBatches works on bulk operations, and on nothing else, until stop is called.
// It is for a command that waits for one, instead of [App.Run].
func (a *App) StartBatches() (stop func(context.Context) error) {
	a.batch.Start()
	return a.batch.Stop
}

// SendAlerts makes an attempt at what is to be told of alerts now. It is for a command
// that sends a test where nobody serves, instead of [App.Run].
func (a *App) SendAlerts(ctx context.Context) error { return a.alerts.SendDue(ctx) }

// startWorkers starts the job engine and the sweepers, and returns what stops
// them. The job engine asks the database first.
func (a *App) startWorkers(ctx context.Context) (stop func(context.Context) error, err error) {
	begin := func(context.Context) error { return a.jobs.Start(context.Background()) }
	if err := a.patiently(ctx, begin); err != nil {
		return nil, fmt.Errorf("start workers: %w", err)
	}
	a.batch.Start()
	if a.config.AlertWebhookURL != "" && a.config.AlertWebhookSecret == "" {
		a.options.Logger.Warn("alerts to the webhook are not signed: QUOTEKIT_ALERT_WEBHOOK_SECRET is not set")
	}
	sweep, cancel := context.WithCancel(context.Background())
	var sweeping sync.WaitGroup
	sweeping.Go(func() { a.webhook.Sweep(sweep) })
	sweeping.Go(func() { a.tasks.Sweep(sweep) })
	sweeping.Go(func() { a.gaps.LookAtStart(sweep) })
	return func(ctx context.Context) error {
		cancel()
		sweeping.Wait()
		a.tasks.Stop()
		a.old.Stop()
		released := a.batch.Stop(ctx)
		soft, done := context.WithTimeout(ctx, stopWithin/2)
		defer done()
		if a.jobs.Stop(soft) == nil {
			return released
		}
		return errors.Join(released, a.jobs.StopAndCancel(ctx))
	}, nil
}
