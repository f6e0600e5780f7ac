package app

import (
	"context"

	"github.com/quotekit/quotekit"
)

// importEvents hands events that Stripe did not deliver to the webhook service.
func (a *App) importEvents(ctx context.Context, actor string, payloads [][]byte) ([]quotekit.EventStatus, error) {
	imported, err := a.webhook.Import(ctx, actor, payloads)
	if err != nil {
		return nil, err
	}
	statuses := make([]quotekit.EventStatus, len(imported))
	for i, e := range imported {
		statuses[i] = e.Status
	}
	return statuses, nil
}

func routedTypes(routes []quotekit.Route) []string {
	types := make([]string, len(routes))
	for i, r := range routes {
		types[i] = r.Type
	}
	return types
}

// RunTask makes the steps of a task until it ends, and does nothing else. It is
// for a command that waits for one, instead of [App.Run].
func (a *App) RunTask(ctx context.Context, id string) error {
	a.webhook.Start()
	defer a.webhook.Stop()
	return a.tasks.Run(ctx, id)
}
