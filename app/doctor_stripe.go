package app

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/quotekit/quotekit"
	"github.com/quotekit/quotekit/internal/stripe"
)

func checkWebhookSecret(_ context.Context, e *examination) Finding {
	switch n := len(e.Config.WebhookSecrets); n {
	case 0:
		return warn("set STRIPE_WEBHOOK_SECRET", "none: webhooks are answered 503")
	case 1:
		return ok("one is set")
	default:
		return ok("%d are set; a signature by any of them is taken", n)
	}
}

const setKey = "set STRIPE_SECRET_KEY to a restricted key that may read events, endpoints and the objects"

func checkStripeAPI(ctx context.Context, e *examination) Finding {
	if e.Config.StripeSecretKey == "" {
		return warn(setKey, "no key: missed events cannot be found")
	}
	now := quotekit.Seconds(e.Now().Unix())
	_, err := e.stripe().Events(ctx, stripe.EventsQuery{Since: now - 60, Types: []string{"customer.created"}})
	if err != nil {
		return fail(setKey, "%v", err)
	}
	return ok("it answers")
}

func (e *examination) stripe() *stripe.Client {
	return stripe.NewClient(stripe.ClientConfig{
		Key: e.Config.StripeSecretKey, Base: e.Config.StripeAPIBase, PerSecond: e.Config.StripeRequestsPerSecond,
	})
}

func checkStripeMode(_ context.Context, e *examination) Finding {
	modes := map[bool]string{true: "live", false: "test"}
	if e.Config.StripeSecretKey == "" {
		return ok("no key")
	}
	key := e.stripe().Livemode()
	switch taken := e.Config.Livemode; {
	case taken == nil:
		return ok("the key is of %s mode, events of both are taken", modes[key])
	case *taken != key:
		return fail("use a key of that mode, or change STRIPE_LIVEMODE", "events of %s mode are taken, but the key is of %s mode", modes[*taken], modes[key])
	}
	return ok("key and events are of %s mode", modes[key])
}

// endpoints are those of Stripe's that lead here; the finding says why there are
// none to look at.
func (e *examination) endpoints(ctx context.Context) ([]stripe.Endpoint, *Finding) {
	if e.Config.StripeSecretKey == "" {
		f := ok("not looked at: no key")
		return nil, &f
	}
	all, err := e.stripe().Endpoints(ctx)
	if err != nil {
		f := warn("let the key read webhook endpoints", "not looked at: %v", err)
		return nil, &f
	}
	var ours []stripe.Endpoint
	for _, endpoint := range all {
		if e.leadsHere(endpoint.URL) {
			ours = append(ours, endpoint)
		}
	}
	if len(ours) == 0 {
		f := warn("make one at Stripe that leads to /webhooks/stripe; while you develop: stripe listen --forward-to "+e.BaseURL+"/webhooks/stripe",
			"none of Stripe's %d endpoints leads here", len(all))
		return nil, &f
	}
	return ours, nil
}

// leadsHere reports whether the address of an endpoint is one of our routes, at the
// public address if that is known.
func (e *examination) leadsHere(address string) bool {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains([]string{webhookPath, oldWebhookPath}, strings.TrimSuffix(u.Path, "/")) {
		return false
	}
	public, err := url.Parse(e.Config.PublicURL)
	return e.Config.PublicURL == "" || (err == nil && strings.EqualFold(public.Host, u.Host))
}

func checkStripeEndpoint(ctx context.Context, e *examination) Finding {
	ours, f := e.endpoints(ctx)
	if f != nil {
		return *f
	}
	var types []string
	for _, r := range e.Routes {
		types = append(types, r.Type)
	}
	for _, endpoint := range ours {
		if endpoint.Status != "enabled" {
			return fail("enable it at Stripe", "the endpoint %s is %s", endpoint.ID, endpoint.Status)
		}
		if lacking := endpoint.Lacks(types); len(lacking) > 0 {
			return warn("enable them at Stripe", "the endpoint %s is not sent %s", endpoint.ID, strings.Join(lacking, ", "))
		}
	}
	return ok("%s is sent every type that has a route", ours[0].ID)
}

func checkAPIVersion(ctx context.Context, e *examination) Finding {
	ours, f := e.endpoints(ctx)
	if f != nil {
		return ok("not looked at")
	}
	expected := e.Config.StripeAPIVersion
	for _, endpoint := range ours {
		switch {
		case endpoint.APIVersion == "":
			return warn("make the endpoint with a fixed API version", "the endpoint %s follows the account's default version", endpoint.ID)
		case expected != "" && endpoint.APIVersion != expected:
			return warn("change QUOTEKIT_STRIPE_API_VERSION, or make the endpoint anew",
				"the endpoint %s has %s, expected is %s", endpoint.ID, endpoint.APIVersion, expected)
		}
	}
	return ok("%s", ours[0].APIVersion)
}
